"""FDMAE with wide windows in time and motion-aware masking (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_wide-windows.py

Joints in windows of 8, 16 and 32 frames. It was the default before random masking and
windows of one token: its records name the config and revision that they were run with.
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/nw_ucla_small.py',
    '../_base_/models/fdmae_small_wide.py',
    '../_base_/schedules/pretrain_small.py',
]

model = dict(backbone=dict(num_joints=_base_.num_joints))
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
