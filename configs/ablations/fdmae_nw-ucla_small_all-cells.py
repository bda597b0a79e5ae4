"""FDMAE that decodes every cell of every window at each step, as its teacher does.

python tools/train.py configs/ablations/fdmae_nw-ucla_small_all-cells.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(max_cells=None, momentum_head=dict(windows=(4, 8, 16, 32)))
