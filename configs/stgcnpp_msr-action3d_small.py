"""STGCN++ with labels, MSR-Action3D cross-subject, a size that a CPU trains.

python tools/train.py configs/stgcnpp_msr-action3d_small.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/msr_action3d_small.py',
    './_base_/models/stgcnpp_small.py',
]

# get_layout('kinect_v1_msr_action3d').graph()
graph = dict(
    num_node=20,
    inward=[
        (6, 3),
        (3, 2),
        (19, 2),
        (0, 2),
        (7, 0),
        (9, 7),
        (11, 9),
        (1, 2),
        (8, 1),
        (10, 8),
        (12, 10),
        (4, 6),
        (13, 4),
        (15, 13),
        (17, 15),
        (5, 6),
        (14, 5),
        (16, 14),
        (18, 16),
    ],
    center=3,
)
model = dict(
    backbone=dict(graph_cfg=dict(layout=graph)),
    cls_head=dict(num_classes=_base_.num_classes),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
