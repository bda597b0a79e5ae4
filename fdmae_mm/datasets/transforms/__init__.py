"""Transforms of skeleton clips."""

from .augment import AlignSkeleton, RandomRotate3D, TemporalCropResize
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
    'MotionAwareSkeletonMasking',
    'RandomRotate3D',
    'RandomSkeletonMasking',
    'TemporalCropResize',
]
