"""STGCN++ with labels, UTD-MHAD cross-subject, a size that a CPU trains.

python tools/train.py configs/stgcnpp_utd-mhad_small.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/utd_mhad_small.py',
    './_base_/models/stgcnpp_small.py',
]

# get_layout('kinect_v1_utd_mhad').graph()
graph = dict(
    num_node=20,
    inward=[
        (3, 2),
        (2, 1),
        (0, 1),
        (4, 1),
        (5, 4),
        (6, 5),
        (7, 6),
        (8, 1),
        (9, 8),
        (10, 9),
        (11, 10),
        (12, 3),
        (13, 12),
        (14, 13),
        (15, 14),
        (16, 3),
        (17, 16),
        (18, 17),
        (19, 18),
    ],
    center=2,
)
model = dict(
    backbone=dict(graph_cfg=dict(layout=graph)),
    cls_head=dict(num_classes=_base_.num_classes),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
