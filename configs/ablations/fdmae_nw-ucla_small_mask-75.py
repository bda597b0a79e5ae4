"""FDMAE with three quarters of the tokens hidden in place of nine tenths (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_mask-75.py
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/nw_ucla_small.py',
    '../_base_/models/fdmae_small_mask_75.py',
    '../_base_/schedules/pretrain_small.py',
]

model = dict(backbone=dict(num_joints=_base_.num_joints))
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
