"""FDMAE, NW-UCLA cross-view, paper size.

    tools/dist_train.sh configs/fdmae_nw-ucla.py 1

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/nw_ucla.py',
    './_base_/models/fdmae.py',
    './_base_/schedules/pretrain.py',
]

model = dict(
    backbone=dict(num_joints=_base_.num_joints, clip_len=64),
    heads=dict(
        frequency=dict(windows=(64, 16, 8), band_edges=(0, 1 / 32, 1 / 8, 1 / 2))
    ),
    momentum_head=dict(windows=(16,)),
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
