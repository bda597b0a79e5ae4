from .hooks import (
    EMATeacherHook,
    EpochSeedHook,
    FeatureBankHook,
    LoadedWeightsHook,
    NonFiniteLossHook,
)
from .optim import SkeletonLayerDecayConstructor

__all__ = [
    'EMATeacherHook',
    'EpochSeedHook',
    'FeatureBankHook',
    'LoadedWeightsHook',
    'NonFiniteLossHook',
    'SkeletonLayerDecayConstructor',
]
