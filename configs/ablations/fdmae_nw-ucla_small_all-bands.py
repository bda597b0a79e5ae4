"""FDMAE with every band at every scale (ablation).

    python tools/train.py configs/ablations/fdmae_nw-ucla_small_all-bands.py

Not run here yet: no result is claimed.
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(assignment='all')))
