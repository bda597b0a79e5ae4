from .checkpoints import convert_checkpoint
from .commands import fuse, probe, test, train

__all__ = ['convert_checkpoint', 'fuse', 'probe', 'test', 'train']
