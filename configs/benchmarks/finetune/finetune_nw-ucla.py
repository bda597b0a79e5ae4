"""Fine-tuning, NW-UCLA cross-view.

    python tools/train.py configs/benchmarks/finetune/finetune_nw-ucla.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla.py',
    '../../_base_/benchmarks/finetune.py',
]

model = dict(
    backbone=dict(
        clip_len=64,
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_nw-ucla/epoch_400.pth'),
    ),
    cls_head=dict(num_classes=_base_.num_classes, num_joints=_base_.num_joints),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
train_dataloader = dict(batch_size=48)
