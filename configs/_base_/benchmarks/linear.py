"""The linear probe of MAMP: SGD, 100 epochs, lr 0.1 for 256 clips, no weight decay."""

_base_ = './encoder.py'

protocol = 'linear'
model = dict(
    backbone=dict(
        frozen_stages=8,
        init_cfg=dict(type='Pretrained', prefix='backbone.'),
    ),
    cls_head=dict(type='LinearProbeHead'),
)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.0))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=100, end=100, convert_to_iter_based=True)
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=10)
auto_scale_lr = dict(enable=False, base_batch_size=256)
val_evaluator = _base_.test_evaluator
val_cfg = dict()
