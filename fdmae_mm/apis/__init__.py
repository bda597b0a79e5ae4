from .checkpoints import convert_checkpoint
from .commands import fuse, probe, test, train
from .export import export_metadata, export_model
from .inferencer import SkeletonInferencer
from .loading import LoadedModel, find_config, load_model
from .video import VideoPoseEstimator

__all__ = [
    'LoadedModel',
    'SkeletonInferencer',
    'VideoPoseEstimator',
    'convert_checkpoint',
    'export_metadata',
    'export_model',
    'find_config',
    'fuse',
    'load_model',
    'probe',
    'test',
    'train',
]
