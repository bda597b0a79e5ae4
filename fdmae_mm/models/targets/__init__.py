from .base import SkeletonTarget, motion
from .frequency import DCTTarget
from .time import JointTarget, MotionTarget

__all__ = ['DCTTarget', 'JointTarget', 'MotionTarget', 'SkeletonTarget', 'motion']
