"""Fine-tuning, the synthetic set, cross-view.

    python tools/train.py configs/benchmarks/finetune/finetune_synthetic.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/synthetic.py',
    '../../_base_/benchmarks/finetune_small.py',
]

model = dict(
    backbone=dict(
        embed_dims=96,
        depth=3,
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_synthetic/epoch_4.pth'),
    ),
    cls_head=dict(
        in_channels=96, num_classes=_base_.num_classes, num_joints=_base_.num_joints
    ),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
auto_scale_lr = dict(base_batch_size=32)
# One epoch of ten passes.
train_cfg = dict(max_epochs=1)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', end=1, T_max=1, convert_to_iter_based=True),
]
