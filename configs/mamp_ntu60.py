"""MAMP, NTU RGB+D 60 cross-subject, paper size.

    tools/dist_train.sh configs/mamp_ntu60.py 4

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/ntu60.py',
    './_base_/models/mamp.py',
    './_base_/schedules/pretrain.py',
]

train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
