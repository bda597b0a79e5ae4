"""NTU RGB+D 60, cross-view (cameras 2 and 3 train, 1 tests)."""

_base_ = './ntu60.py'

train_dataloader = dict(dataset=dict(split='xview_train'))
eval_dataloader = dict(dataset=dict(split='xview_val'))
bank_dataloader = dict(dataset=dict(split='xview_train'))
