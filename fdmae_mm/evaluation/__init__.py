from .probes import (
    extract_features,
    linear_probe_accuracy,
    nearest_neighbor_accuracy,
    probe_encoder,
)

__all__ = [
    'extract_features',
    'linear_probe_accuracy',
    'nearest_neighbor_accuracy',
    'probe_encoder',
]
