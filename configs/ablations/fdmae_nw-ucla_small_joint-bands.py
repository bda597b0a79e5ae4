"""FDMAE with joints instead of motion as the signal of the frequency heads (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_joint-bands.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(signal='joint')))
