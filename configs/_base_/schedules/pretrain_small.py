"""15 epochs of about 160 steps on a CPU: of NW-UCLA ten passes each, 150 in all."""

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='GroupedOptimWrapperConstructor',
    optimizer=dict(
        type='AdamW', lr=2e-3, betas=(0.9, 0.95), weight_decay=0.05, fused=True
    ),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
    # Puts the gradient norm into the log; a smaller number clips it. Not inf, which the
    # config that a run leaves could not name.
    clip_grad=dict(max_norm=1e9),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=80, by_epoch=False),
    dict(type='CosineAnnealingLR', end=15, T_max=15, convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=15)
auto_scale_lr = dict(enable=False, base_batch_size=64)
