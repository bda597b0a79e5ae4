"""FDMAE, UTD-MHAD cross-subject, bone stream.

python tools/train.py configs/fdmae_utd-mhad_small_bone.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/utd_mhad_small_bone.py',
    './_base_/models/fdmae_small.py',
    './_base_/schedules/pretrain_small.py',
]

model = dict(backbone=dict(num_joints=_base_.num_joints))
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
