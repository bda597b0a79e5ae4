"""FDMAE with the edges of its bands an octave lower (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_lower-edges.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(band_edges=(0, 1 / 32, 1 / 16, 1 / 2))))
