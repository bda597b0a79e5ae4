"""Linear probe, PKU-MMD I cross-view.

    tools/dist_train.sh configs/benchmarks/linear/linear_pku-mmd1-xview.py 8 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/pku_mmd1_xview.py',
    '../../_base_/benchmarks/linear.py',
]

model = dict(
    backbone=dict(
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_pku-mmd1-xview/epoch_400.pth'),
    ),
    cls_head=dict(num_classes=_base_.num_classes),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
