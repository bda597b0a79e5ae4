"""The linear probe of `_small` encoders: 100 passes, ten epochs of ten."""

_base_ = './linear.py'

model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, clip_len=32, frozen_stages=4),
    cls_head=dict(in_channels=128),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=10, end=10, convert_to_iter_based=True)
]
train_cfg = dict(max_epochs=10, val_interval=5)
