"""Fine-tuning, UTD-MHAD cross-subject, bone stream.

    python tools/train.py configs/benchmarks/finetune/finetune_utd-mhad_small_bone.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/utd_mhad_small_bone.py',
    '../../_base_/benchmarks/finetune_small.py',
]

model = dict(
    backbone=dict(
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_utd-mhad_small_bone/epoch_15.pth'),
    ),
    cls_head=dict(num_classes=_base_.num_classes, num_joints=_base_.num_joints),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
