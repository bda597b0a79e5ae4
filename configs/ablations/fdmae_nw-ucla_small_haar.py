"""FDMAE with Haar wavelets instead of cosines as the functions of the bands (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_haar.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(frequency=dict(target=dict(type='HaarTarget'))))
