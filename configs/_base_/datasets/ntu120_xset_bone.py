"""The bone stream of ntu120_xset."""

_base_ = './ntu120_bone.py'

train_dataloader = dict(dataset=dict(split='xset_train'))
eval_dataloader = dict(dataset=dict(split='xset_val'))
bank_dataloader = dict(dataset=dict(split='xset_train'))
