"""MAMP (Mao et al., ICCV 2023): motion-aware masking, normalised motion as target.

An absent second person is left out; `encode_absent=True` of the backbone encodes and
reconstructs it like any other, as published.
"""

_base_ = './mae.py'

model = dict(heads=dict(time=dict(target=dict(type='MotionTarget'))))
masking = [
    dict(type='MotionAwareSkeletonMasking', mask_ratio=0.9, t_patch_size=4, tau=0.8),
    dict(type='PackActionInputs', meta_keys=('frame_dir',), algorithm_keys=('mask',)),
]
