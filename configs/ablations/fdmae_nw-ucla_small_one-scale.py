"""FDMAE with all bands at one scale, the window of 16 frames (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_one-scale.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(windows=(16,), assignment='all')))
