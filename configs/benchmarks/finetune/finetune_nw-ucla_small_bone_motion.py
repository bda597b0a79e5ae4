"""Fine-tuning, NW-UCLA cross-view, motion stream of bones.

    fdmae train finetune_nw-ucla_small_bone_motion \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla_small_bone_motion.py',
    '../../_base_/benchmarks/finetune_small.py',
]

model = dict(
    backbone=dict(
        num_joints=_base_.num_joints,
        init_cfg=dict(
            checkpoint='work_dirs/fdmae_nw-ucla_small_bone_motion/epoch_15.pth'
        ),
    ),
    cls_head=dict(num_classes=_base_.num_classes, num_joints=_base_.num_joints),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
