"""STGCN++ with labels, SBU fold 1, a size that a CPU trains.

python tools/train.py configs/stgcnpp_sbu_small.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/sbu_small.py',
    './_base_/models/stgcnpp_small.py',
]

# get_layout('sbu').graph()
graph = dict(
    num_node=15,
    inward=[
        (0, 1),
        (1, 2),
        (3, 1),
        (4, 3),
        (5, 4),
        (6, 1),
        (7, 6),
        (8, 7),
        (9, 2),
        (10, 9),
        (11, 10),
        (12, 2),
        (13, 12),
        (14, 13),
    ],
    center=2,
)
model = dict(
    backbone=dict(graph_cfg=dict(layout=graph)),
    cls_head=dict(num_classes=_base_.num_classes),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
