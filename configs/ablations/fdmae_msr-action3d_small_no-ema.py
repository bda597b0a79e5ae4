"""FDMAE without the momentum path (ablation).

python tools/train.py configs/ablations/fdmae_msr-action3d_small_no-ema.py
"""

_base_ = '../fdmae_msr-action3d_small.py'

model = dict(
    _delete_=True,
    type='SkeletonMAE',
    backbone=_base_.model.backbone,
    decoder=_base_.model.decoder,
    heads=_base_.model.heads,
    max_cells=_base_.model.max_cells,
)
custom_hooks = []
