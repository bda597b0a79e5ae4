"""Linear probe, the synthetic set, cross-view.

    python tools/train.py configs/benchmarks/linear/linear_synthetic.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/synthetic.py',
    '../../_base_/benchmarks/linear_small.py',
]

model = dict(
    backbone=dict(
        embed_dims=96,
        depth=3,
        frozen_stages=3,
        num_joints=_base_.num_joints,
        init_cfg=dict(checkpoint='work_dirs/fdmae_synthetic/epoch_4.pth'),
    ),
    cls_head=dict(in_channels=96, num_classes=_base_.num_classes),
)
val_dataloader = _base_.eval_dataloader
test_dataloader = _base_.eval_dataloader
train_dataloader = dict(batch_size=256)
