from .checkpoints import convert_checkpoint
from .commands import probe, test, train
from .export import export_metadata, export_model
from .inferencer import SkeletonInferencer
from .loading import LoadedModel, find_config, load_model
from .scores import compare, fuse
from .video import VideoPoseEstimator

__all__ = [
    'LoadedModel',
    'SkeletonInferencer',
    'VideoPoseEstimator',
    'compare',
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
