from .checkpoints import convert_checkpoint
from .commands import fuse, probe, test, train
from .loading import LoadedModel, find_config, load_model

__all__ = [
    'LoadedModel',
    'convert_checkpoint',
    'find_config',
    'fuse',
    'load_model',
    'probe',
    'test',
    'train',
]
