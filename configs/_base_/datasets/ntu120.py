"""NTU RGB+D 120, cross-subject."""

_base_ = './ntu60.py'

num_classes = 120
ann_file = 'data/ntu120_3d.pkl'
source = dict(ann_file=ann_file)
train_dataloader = dict(dataset=dict(ann_file=ann_file))
eval_dataloader = dict(dataset=dict(ann_file=ann_file))
bank_dataloader = dict(dataset=dict(ann_file=ann_file))
