"""FDMAE with motion in time in place of its bands, at the same scales (ablation).

python tools/train.py configs/ablations/fdmae_sbu_small_time-scales.py
"""

_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/sbu_small.py',
    '../_base_/models/fdmae_small_time_scales.py',
    '../_base_/schedules/pretrain_small.py',
]

model = dict(backbone=dict(num_joints=_base_.num_joints))
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
