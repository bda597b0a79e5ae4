"""FDMAE in small with three quarters of the tokens hidden in place of nine tenths."""

_base_ = './fdmae_small.py'

masking = [
    dict(_base_.masking[0], mask_ratio=0.75),
    dict(_base_.masking[1], mask_ratio=0.75),
    *_base_.masking[2:],
]
