from .backbones import SkeletonTransformer
from .data_preprocessors import StackedDataPreprocessor
from .decoders import CrossAttentionDecoder, SelfAttentionDecoder
from .heads import (
    FinetuneHead,
    FrequencyHead,
    KNNHead,
    LinearProbeHead,
    MomentumHead,
    WindowHead,
)
from .losses import FrequencyDecoupledLoss, MaskedReconstructionLoss
from .pretrained import PretrainedSkeletonInit
from .recognizers import FDMAE, SkeletonMAE
from .targets import DCTTarget, HaarTarget, JointTarget, MotionTarget

__all__ = [
    'FDMAE',
    'CrossAttentionDecoder',
    'DCTTarget',
    'FinetuneHead',
    'FrequencyDecoupledLoss',
    'FrequencyHead',
    'HaarTarget',
    'JointTarget',
    'KNNHead',
    'LinearProbeHead',
    'MaskedReconstructionLoss',
    'MomentumHead',
    'MotionTarget',
    'PretrainedSkeletonInit',
    'SelfAttentionDecoder',
    'SkeletonMAE',
    'SkeletonTransformer',
    'StackedDataPreprocessor',
    'WindowHead',
]
