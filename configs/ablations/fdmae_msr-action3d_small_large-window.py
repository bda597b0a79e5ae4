"""FDMAE reduced to large-window reconstruction in time (ablation).

python tools/train.py configs/ablations/fdmae_msr-action3d_small_large-window.py
"""

_base_ = '../fdmae_msr-action3d_small.py'

model = dict(
    _delete_=True,
    type='SkeletonMAE',
    backbone=_base_.model.backbone,
    decoder=_base_.model.decoder,
    heads=dict(time=dict(_base_.model.heads.time, window=16)),
)
custom_hooks = []
