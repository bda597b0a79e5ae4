"""Transforms of skeleton clips."""

from .augment import AlignSkeleton, RandomRotate3D, TemporalCropResize
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
    'MapSkeleton',
    'MotionAwareSkeletonMasking',
    'RandomRotate3D',
    'RandomSkeletonMasking',
    'SkeletonFlip',
    'SkeletonStream',
    'TemporalCropResize',
]
