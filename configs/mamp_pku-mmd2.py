"""MAMP, PKU-MMD II cross-subject, paper size.

    tools/dist_train.sh configs/mamp_pku-mmd2.py 4

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/pku_mmd2.py',
    './_base_/models/mamp.py',
    './_base_/schedules/pretrain.py',
]

# The decoder of this set has 5 blocks.
model = dict(decoder=dict(depth=5))
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
