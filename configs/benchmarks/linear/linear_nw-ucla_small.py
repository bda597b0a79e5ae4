"""Linear probe, NW-UCLA cross-view: frozen encoder, batch norm, one layer.

    python tools/train.py configs/benchmarks/linear/linear_nw-ucla_small.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla_small.py',
    '../../_base_/evaluation.py',
    '../../_base_/schedules/linear.py',
]

model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=128,
        depth=4,
        num_heads=4,
        num_joints=20,
        clip_len=32,
        frozen_stages=4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/fdmae_nw-ucla_small/epoch_15.pth',
            prefix='backbone.',
        ),
    ),
    cls_head=dict(
        type='LinearProbeHead', num_classes=_base_.num_classes, in_channels=128
    ),
)

val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
# Ten passes an epoch: 100 passes in all.
train_cfg = dict(max_epochs=10, val_interval=5)
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=10, end=10, convert_to_iter_based=True)
]
train_dataloader = dict(batch_size=256)
