"""The linear probe of MAMP: SGD, 100 epochs, lr 0.1 for 256 clips, no weight decay."""

protocol = 'linear'
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=8,
        num_heads=8,
        clip_len=120,
        frozen_stages=8,
        init_cfg=dict(type='Pretrained', prefix='backbone.'),
    ),
    cls_head=dict(type='LinearProbeHead', in_channels=256),
)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=100, end=100, convert_to_iter_based=True)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
auto_scale_lr = dict(enable=False, base_batch_size=256)
val_evaluator = dict(type='AccReport')
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
