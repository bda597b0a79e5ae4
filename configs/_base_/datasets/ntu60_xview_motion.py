"""The motion stream of ntu60_xview."""

_base_ = './ntu60_motion.py'

train_dataloader = dict(dataset=dict(split='xview_train'))
eval_dataloader = dict(dataset=dict(split='xview_val'))
bank_dataloader = dict(dataset=dict(split='xview_train'))
