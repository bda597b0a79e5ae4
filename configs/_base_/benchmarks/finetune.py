"""Fine-tuning of MAMP: AdamW with layer decay 0.8, 100 epochs of which 5 warm up.

48 clips a step: 2 processes of 24, as in its scripts.
"""

_base_ = './encoder.py'

protocol = 'finetune'
model = dict(
    backbone=dict(
        drop_path_rate=0.3,
        init_cfg=dict(type='Pretrained', prefix='backbone.'),
    ),
    cls_head=dict(type='FinetuneHead'),
)
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.05, fused=True),
    constructor='SkeletonLayerDecayConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.8),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=5, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        # Of each layer's own rate, which an absolute end would make equal.
        eta_min_ratio=1 / 30,
        begin=5,
        end=100,
        T_max=95,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
auto_scale_lr = dict(enable=False, base_batch_size=48)
val_evaluator = _base_.test_evaluator
val_cfg = dict()
