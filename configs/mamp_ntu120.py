"""MAMP, NTU RGB+D 120 cross-subject, paper size.

    tools/dist_train.sh configs/mamp_ntu120.py 4

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/ntu120.py',
    './_base_/models/mamp.py',
    './_base_/schedules/pretrain.py',
]

# The decoder of this set has 5 blocks.
model = dict(decoder=dict(depth=5))
# The published temperature for this set.
motion_masking = dict(_base_.masking[0], tau=0.75)
train_dataloader = dict(
    dataset=dict(pipeline=[*_base_.train_view, motion_masking, *_base_.masking[1:]])
)
