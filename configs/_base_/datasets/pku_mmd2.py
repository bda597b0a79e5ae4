"""PKU-MMD II, cross-subject."""

_base_ = './pku_mmd1.py'

ann_file = 'data/pku_mmd2.pkl'
source = dict(ann_file=ann_file)
train_dataloader = dict(dataset=dict(ann_file=ann_file))
eval_dataloader = dict(dataset=dict(ann_file=ann_file))
bank_dataloader = dict(dataset=dict(ann_file=ann_file))
