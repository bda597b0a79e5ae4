from .acc_report import AccReport, accuracy_interval, mean_class_accuracy
from .comparison import Comparison, compare_scores
from .fusion import Scores, fuse_scores, read_scores, write_scores
from .neighbors import (
    check_few_shot,
    few_shot_accuracy,
    knn_scores,
    nearest_neighbor_scores,
    retrieval_map,
    top1_accuracy,
)
from .probes import (
    Probed,
    extract_features,
    extract_joints,
    extract_views,
    hold_out_groups,
    linear_probe_scores,
    probe_features,
    probe_joints,
)

__all__ = [
    'AccReport',
    'Comparison',
    'Probed',
    'Scores',
    'accuracy_interval',
    'check_few_shot',
    'compare_scores',
    'extract_features',
    'extract_joints',
    'extract_views',
    'few_shot_accuracy',
    'fuse_scores',
    'hold_out_groups',
    'knn_scores',
    'linear_probe_scores',
    'mean_class_accuracy',
    'nearest_neighbor_scores',
    'probe_features',
    'probe_joints',
    'read_scores',
    'retrieval_map',
    'top1_accuracy',
    'write_scores',
]
