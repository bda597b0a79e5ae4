"""MAMP, SBU fold 1, a size that a CPU trains.

python tools/train.py configs/mamp_sbu_small.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/sbu_small.py',
    './_base_/models/mamp_small.py',
    './_base_/schedules/pretrain_small.py',
]

model = dict(backbone=dict(num_joints=_base_.num_joints))
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
