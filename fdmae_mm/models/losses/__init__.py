from .frequency_decoupled import FrequencyDecoupledLoss
from .masked_reconstruction import MaskedReconstructionLoss

__all__ = ['FrequencyDecoupledLoss', 'MaskedReconstructionLoss']
