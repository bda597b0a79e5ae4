"""FDMAE with every band at every scale (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_all-bands.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(assignment='all')))
