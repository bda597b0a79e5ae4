"""FDMAE, NTU RGB+D 120 cross-setup, bone stream.

    tools/dist_train.sh configs/fdmae_ntu120-xset_bone.py 8

Not run here yet: no result is claimed.
"""

_base_ = './fdmae_ntu120_bone.py'

train_dataloader = dict(dataset=dict(split='xset_train'))
eval_dataloader = dict(dataset=dict(split='xset_val'))
bank_dataloader = dict(dataset=dict(split='xset_train'))
