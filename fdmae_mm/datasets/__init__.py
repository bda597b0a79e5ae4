from . import transforms
from .collate import stacked_transfer
from .skeleton_dataset import SkeletonDataset

__all__ = ['SkeletonDataset', 'stacked_transfer', 'transforms']
