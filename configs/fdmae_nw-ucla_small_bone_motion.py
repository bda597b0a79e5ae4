"""FDMAE, NW-UCLA cross-view, motion stream of bones.

python tools/train.py configs/fdmae_nw-ucla_small_bone_motion.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/nw_ucla_small_bone_motion.py',
    './_base_/models/fdmae_small.py',
    './_base_/schedules/pretrain_small.py',
]

model = dict(backbone=dict(num_joints=_base_.num_joints))
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
