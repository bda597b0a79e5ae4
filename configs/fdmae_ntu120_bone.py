"""FDMAE, NTU RGB+D 120 cross-subject, bone stream.

    tools/dist_train.sh configs/fdmae_ntu120_bone.py 8

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/ntu120_bone.py',
    './_base_/models/fdmae.py',
    './_base_/schedules/pretrain.py',
]

train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
auto_scale_lr = dict(base_batch_size=256)
