from .base import SkeletonTarget, motion
from .frequency import DCTTarget, HaarTarget
from .time import JointTarget, MotionTarget

__all__ = [
    'DCTTarget',
    'HaarTarget',
    'JointTarget',
    'MotionTarget',
    'SkeletonTarget',
    'motion',
]
