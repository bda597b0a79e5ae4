"""FDMAE without frequency heads and without the momentum path (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_time-alone.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(
    _delete_=True,
    type='SkeletonMAE',
    backbone=_base_.model.backbone,
    decoder=_base_.model.decoder,
    heads=dict(time=_base_.model.heads.time),
    max_cells=_base_.model.max_cells,
)
custom_hooks = []
