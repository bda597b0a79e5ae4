"""MAMP, NTU RGB+D 120 cross-setup, paper size.

    tools/dist_train.sh configs/mamp_ntu120-xset.py 4

Not run here yet: no result is claimed.
"""

_base_ = './mamp_ntu120.py'

train_dataloader = dict(dataset=dict(split='xset_train'))
eval_dataloader = dict(dataset=dict(split='xset_val'))
bank_dataloader = dict(dataset=dict(split='xset_train'))
