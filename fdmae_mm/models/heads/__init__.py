from .classification import FinetuneHead, KNNHead, LinearProbeHead
from .frequency_head import FrequencyHead, scale_bands
from .momentum_head import MomentumHead
from .window_head import WindowHead

__all__ = [
    'FinetuneHead',
    'FrequencyHead',
    'KNNHead',
    'LinearProbeHead',
    'MomentumHead',
    'WindowHead',
    'scale_bands',
]
