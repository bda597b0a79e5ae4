"""MAE baseline, PKU-MMD I cross-view, paper size.

    tools/dist_train.sh configs/mae_pku-mmd1-xview.py 4

Not run here yet: no result is claimed.
"""

_base_ = './mae_pku-mmd1.py'

train_dataloader = dict(dataset=dict(split='xview_train'))
eval_dataloader = dict(dataset=dict(split='xview_val'))
bank_dataloader = dict(dataset=dict(split='xview_train'))
