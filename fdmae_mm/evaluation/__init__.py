from .acc_report import AccReport, accuracy_interval
from .fusion import Scores, fuse_scores, read_scores
from .neighbors import (
    few_shot_accuracy,
    knn_accuracy,
    nearest_neighbor_accuracy,
    retrieval_map,
)
from .probes import extract_features, linear_probe_accuracy, probe_encoder

__all__ = [
    'AccReport',
    'Scores',
    'accuracy_interval',
    'extract_features',
    'few_shot_accuracy',
    'fuse_scores',
    'knn_accuracy',
    'linear_probe_accuracy',
    'nearest_neighbor_accuracy',
    'probe_encoder',
    'read_scores',
    'retrieval_map',
]
