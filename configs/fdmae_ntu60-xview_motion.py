"""FDMAE, NTU RGB+D 60 cross-view, motion stream.

    tools/dist_train.sh configs/fdmae_ntu60-xview_motion.py 8

Not run here yet: no result is claimed.
"""

_base_ = './fdmae_ntu60_motion.py'

train_dataloader = dict(dataset=dict(split='xview_train'))
eval_dataloader = dict(dataset=dict(split='xview_val'))
bank_dataloader = dict(dataset=dict(split='xview_train'))
