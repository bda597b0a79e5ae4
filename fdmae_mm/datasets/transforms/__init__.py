"""Transforms of skeleton clips."""

from .augment import (
    AlignSkeleton,
    InterpolateJoints,
    RandomRotate3D,
    TemporalCropResize,
)
from .layout import MapSkeleton, SkeletonFlip, SkeletonStream
from .masking import (
    BaseSkeletonMasking,
    BodyPartTubeMasking,
    MotionAwareSkeletonMasking,
    RandomSkeletonMasking,
)

__all__ = [
    'AlignSkeleton',
    'BaseSkeletonMasking',
    'BodyPartTubeMasking',
    'InterpolateJoints',
    'MapSkeleton',
    'MotionAwareSkeletonMasking',
    'RandomRotate3D',
    'RandomSkeletonMasking',
    'SkeletonFlip',
    'SkeletonStream',
    'TemporalCropResize',
]
