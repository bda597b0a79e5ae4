"""PKU-MMD I, cross-subject, loaders and views of NTU RGB+D 60."""

_base_ = './ntu60.py'

num_classes = 51
ann_file = 'data/pku_mmd1.pkl'
source = dict(ann_file=ann_file)
train_dataloader = dict(dataset=dict(ann_file=ann_file))
eval_dataloader = dict(dataset=dict(ann_file=ann_file))
bank_dataloader = dict(dataset=dict(ann_file=ann_file))
