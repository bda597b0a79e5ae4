"""STGCN++ with labels, NW-UCLA cross-view, a size that a CPU trains.

python tools/train.py configs/stgcnpp_nw-ucla_small.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/nw_ucla_small.py',
    './_base_/models/stgcnpp_small.py',
]

# get_layout('kinect_v1').graph()
graph = dict(
    num_node=20,
    inward=[
        (0, 1),
        (1, 2),
        (3, 2),
        (4, 2),
        (5, 4),
        (6, 5),
        (7, 6),
        (8, 2),
        (9, 8),
        (10, 9),
        (11, 10),
        (12, 0),
        (13, 12),
        (14, 13),
        (15, 14),
        (16, 0),
        (17, 16),
        (18, 17),
        (19, 18),
    ],
    center=1,
)
model = dict(
    backbone=dict(graph_cfg=dict(layout=graph)),
    cls_head=dict(num_classes=_base_.num_classes),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
