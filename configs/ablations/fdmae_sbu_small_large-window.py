"""FDMAE reduced to large-window reconstruction in time (ablation).

    python tools/train.py configs/ablations/fdmae_sbu_small_large-window.py

Not run here yet: no result is claimed.
"""

_base_ = '../fdmae_sbu_small.py'

model = dict(
    _delete_=True,
    type='SkeletonMAE',
    backbone=_base_.model.backbone,
    decoder=_base_.model.decoder,
    heads=dict(time=dict(_base_.model.heads.time, window=16)),
)
custom_hooks = []
