from .fdmae import FDMAE
from .skeleton_mae import SkeletonMAE

__all__ = ['FDMAE', 'SkeletonMAE']
