"""Linear probe, NTU RGB+D 120 cross-setup, motion stream.

    tools/dist_train.sh configs/benchmarks/linear/linear_ntu120-xset_motion.py 8 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/ntu120_xset_motion.py',
    '../../_base_/benchmarks/linear.py',
]

model = dict(
    backbone=dict(
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_ntu120-xset_motion/epoch_400.pth'),
    ),
    cls_head=dict(num_classes=_base_.num_classes),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
