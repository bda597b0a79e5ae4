from .hooks import (
    EMATeacherHook,
    EpochSeedHook,
    FeatureBankHook,
    LoadedWeightsHook,
    NonFiniteLossHook,
    ResultRecordHook,
)
from .optim import SkeletonLayerDecayConstructor

__all__ = [
    'EMATeacherHook',
    'EpochSeedHook',
    'FeatureBankHook',
    'LoadedWeightsHook',
    'NonFiniteLossHook',
    'ResultRecordHook',
    'SkeletonLayerDecayConstructor',
]
