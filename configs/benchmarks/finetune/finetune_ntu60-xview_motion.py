"""Fine-tuning, NTU RGB+D 60 cross-view, motion stream.

    tools/dist_train.sh configs/benchmarks/finetune/finetune_ntu60-xview_motion.py 2 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/ntu60_xview_motion.py',
    '../../_base_/benchmarks/finetune.py',
]

model = dict(
    backbone=dict(
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_ntu60-xview_motion/epoch_400.pth'),
    ),
    cls_head=dict(num_classes=_base_.num_classes, num_joints=_base_.num_joints),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
train_dataloader = dict(batch_size=24)
