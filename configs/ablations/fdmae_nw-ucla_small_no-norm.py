"""FDMAE with bands as they are: by Parseval the low band owns the loss (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_no-norm.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(loss=dict(normalize='none'))))
