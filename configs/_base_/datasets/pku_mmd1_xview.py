"""PKU-MMD I, cross-view (the middle and the right camera train, the left tests)."""

_base_ = './pku_mmd1.py'

train_dataloader = dict(dataset=dict(split='xview_train'))
eval_dataloader = dict(dataset=dict(split='xview_val'))
bank_dataloader = dict(dataset=dict(split='xview_train'))
