"""MAE baseline, PKU-MMD I cross-subject, paper size.

    tools/dist_train.sh configs/mae_pku-mmd1.py 4

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/pku_mmd1.py',
    './_base_/models/mae.py',
    './_base_/schedules/pretrain.py',
]

# MAMP's decoder for this set.
model = dict(decoder=dict(depth=5))
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
