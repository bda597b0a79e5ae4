"""FDMAE with three quarters of the tokens hidden in place of nine tenths (ablation).

    python tools/train.py configs/ablations/fdmae_utd-mhad_small_mask-75.py

Not run here yet: no result is claimed.
"""

_base_ = '../fdmae_utd-mhad_small.py'

masking = [
    dict(_base_.masking[0], mask_ratio=0.75),
    dict(_base_.masking[1], mask_ratio=0.75),
    *_base_.masking[2:],
]
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *masking]))
)
