"""Linear probe, NTU RGB+D 60 cross-subject: frozen encoder, batch norm, one layer.

    tools/dist_train.sh configs/benchmarks/linear/linear_ntu60.py 8 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/ntu60.py',
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
        num_joints=25,
        clip_len=120,
        frozen_stages=8,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/fdmae_ntu60/epoch_400.pth',
            prefix='backbone.',
        ),
    ),
    cls_head=dict(
        type='LinearProbeHead', num_classes=_base_.num_classes, in_channels=256
    ),
)

val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
