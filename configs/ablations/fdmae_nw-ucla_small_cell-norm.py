"""FDMAE with bands of unit power in every cell (ablation).

    python tools/train.py configs/ablations/fdmae_nw-ucla_small_cell-norm.py

Not run here yet: no result is claimed.
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(loss=dict(normalize='cell'))))
