"""Fine-tuning, NW-UCLA cross-view: the whole encoder with the head of MAMP.

    python tools/train.py configs/benchmarks/finetune/finetune_nw-ucla_small.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla_small.py',
    '../../_base_/evaluation.py',
    '../../_base_/schedules/finetune.py',
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
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/fdmae_nw-ucla_small/epoch_15.pth',
            prefix='backbone.',
        ),
    ),
    cls_head=dict(
        type='FinetuneHead',
        num_classes=_base_.num_classes,
        in_channels=128,
        num_joints=20,
        hidden_dims=512,
    ),
)

val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
# 20 passes in two epochs of ten.
train_cfg = dict(max_epochs=2, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', end=2, T_max=2, convert_to_iter_based=True),
]
optim_wrapper = dict(optimizer=dict(lr=2e-3))
