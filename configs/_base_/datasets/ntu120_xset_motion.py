"""The motion stream of ntu120_xset."""

_base_ = './ntu120_motion.py'

train_dataloader = dict(dataset=dict(split='xset_train'))
eval_dataloader = dict(dataset=dict(split='xset_val'))
bank_dataloader = dict(dataset=dict(split='xset_train'))
