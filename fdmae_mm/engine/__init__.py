from .hooks import (
    EMATeacherHook,
    EpochSeedHook,
    FeatureBankHook,
    LoadedWeightsHook,
    NonFiniteLossHook,
    NumClassesHook,
    ResultRecordHook,
)
from .optim import GroupedOptimWrapperConstructor, SkeletonLayerDecayConstructor

__all__ = [
    'EMATeacherHook',
    'EpochSeedHook',
    'FeatureBankHook',
    'GroupedOptimWrapperConstructor',
    'LoadedWeightsHook',
    'NonFiniteLossHook',
    'NumClassesHook',
    'ResultRecordHook',
    'SkeletonLayerDecayConstructor',
]
