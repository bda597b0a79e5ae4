"""FDMAE with bands divided by their running power alone (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_band-norm.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(loss=dict(normalize='band'))))
