"""MAE trained four times as long, for 60 epochs (ablation).

python tools/train.py configs/ablations/mae_nw-ucla_small_long.py
"""

_base_ = '../mae_nw-ucla_small.py'

param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=60, T_max=60),
]
train_cfg = dict(max_epochs=60)
