"""Fine-tuning, NTU RGB+D 60 cross-subject: the whole encoder with the head of MAMP.

    tools/dist_train.sh configs/benchmarks/finetune/finetune_ntu60.py 4 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/ntu60.py',
    '../../_base_/evaluation.py',
    '../../_base_/schedules/finetune.py',
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
        drop_path_rate=0.3,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/fdmae_ntu60/epoch_400.pth',
            prefix='backbone.',
        ),
    ),
    cls_head=dict(
        type='FinetuneHead',
        num_classes=_base_.num_classes,
        in_channels=256,
        num_joints=25,
    ),
)

val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
