"""FDMAE with two bands, of the windows of 32 and 8 frames (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_two-bands.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(windows=(32, 8), band_edges=(0, 1 / 8, 1 / 2))))
