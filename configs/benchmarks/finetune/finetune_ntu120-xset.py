"""Fine-tuning, NTU RGB+D 120 cross-setup.

    tools/dist_train.sh configs/benchmarks/finetune/finetune_ntu120-xset.py 2 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/ntu120_xset.py',
    '../../_base_/benchmarks/finetune.py',
]

model = dict(
    backbone=dict(
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_ntu120-xset/epoch_400.pth'),
    ),
    cls_head=dict(num_classes=_base_.num_classes, num_joints=_base_.num_joints),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
train_dataloader = dict(batch_size=24)
