"""Linear probe, NW-UCLA cross-view: frozen encoder, batch norm, one layer.

    python tools/train.py configs/benchmarks/linear/linear_nw-ucla.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla.py',
    '../../_base_/evaluation.py',
    '../../_base_/schedules/linear.py',
]

model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=8,
        num_heads=8,
        num_joints=20,
        clip_len=64,
        frozen_stages=8,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/fdmae_nw-ucla/epoch_400.pth',
            prefix='backbone.',
        ),
    ),
    cls_head=dict(
        type='LinearProbeHead', num_classes=_base_.num_classes, in_channels=256
    ),
)

val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
train_dataloader = dict(batch_size=256)
