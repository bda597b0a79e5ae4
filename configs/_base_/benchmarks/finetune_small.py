"""Fine-tuning of `_small` encoders, two epochs of ten passes over NW-UCLA."""

_base_ = './finetune.py'

model = dict(
    backbone=dict(
        embed_dims=128, depth=4, num_heads=4, clip_len=32, drop_path_rate=0.1
    ),
    cls_head=dict(in_channels=128, hidden_dims=512),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', end=2, T_max=2, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=2, val_interval=1)
auto_scale_lr = dict(base_batch_size=64)
