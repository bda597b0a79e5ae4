"""PKU-MMD II, cross-view (the middle and the right camera train, the left tests)."""

_base_ = './pku_mmd2.py'

train_dataloader = dict(dataset=dict(split='xview_train'))
eval_dataloader = dict(dataset=dict(split='xview_val'))
bank_dataloader = dict(dataset=dict(split='xview_train'))
