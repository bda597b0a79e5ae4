"""Fine-tuning, NW-UCLA cross-view: the whole encoder with the head of MAMP.

    python tools/train.py configs/benchmarks/finetune/finetune_nw-ucla.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla.py',
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
        num_joints=20,
        clip_len=64,
        drop_path_rate=0.3,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/fdmae_nw-ucla/epoch_400.pth',
            prefix='backbone.',
        ),
    ),
    cls_head=dict(
        type='FinetuneHead',
        num_classes=_base_.num_classes,
        in_channels=256,
        num_joints=20,
    ),
)

val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
train_dataloader = dict(batch_size=128)
