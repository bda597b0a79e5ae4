"""Fine-tuning, the synthetic set, cross-view: the whole encoder with the head of MAMP.

    python tools/train.py configs/benchmarks/finetune/finetune_synthetic.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/synthetic.py',
    '../../_base_/evaluation.py',
    '../../_base_/schedules/finetune.py',
]

model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=96,
        depth=3,
        num_heads=4,
        num_joints=25,
        clip_len=32,
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/fdmae_synthetic/epoch_4.pth',
            prefix='backbone.',
        ),
    ),
    cls_head=dict(
        type='FinetuneHead',
        num_classes=_base_.num_classes,
        in_channels=96,
        num_joints=25,
        hidden_dims=512,
    ),
)

val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
# One epoch of ten passes.
train_cfg = dict(max_epochs=1, val_interval=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', end=1, T_max=1, convert_to_iter_based=True),
]
optim_wrapper = dict(optimizer=dict(lr=2e-3))
