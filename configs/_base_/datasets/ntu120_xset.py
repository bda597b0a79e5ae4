"""NTU RGB+D 120, cross-setup (even train, odd test)."""

_base_ = './ntu120.py'

train_dataloader = dict(dataset=dict(split='xset_train'))
eval_dataloader = dict(dataset=dict(split='xset_val'))
bank_dataloader = dict(dataset=dict(split='xset_train'))
