from .hooks import (
    EMATeacherHook,
    EpochSeedHook,
    FeatureBankHook,
    LateRemovalCheckpointHook,
    LoadedWeightsHook,
    NonFiniteLossHook,
    NumClassesHook,
    ResultRecordHook,
    TeacherCheckHook,
)
from .optim import GroupedOptimWrapperConstructor, SkeletonLayerDecayConstructor

__all__ = [
    'EMATeacherHook',
    'EpochSeedHook',
    'FeatureBankHook',
    'GroupedOptimWrapperConstructor',
    'LateRemovalCheckpointHook',
    'LoadedWeightsHook',
    'NonFiniteLossHook',
    'NumClassesHook',
    'ResultRecordHook',
    'SkeletonLayerDecayConstructor',
    'TeacherCheckHook',
]
