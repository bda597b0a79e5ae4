"""1-NN on frozen features, the synthetic set, cross-view.

python tools/test.py configs/benchmarks/knn/knn_synthetic.py CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/synthetic.py',
    '../../_base_/benchmarks/knn_small.py',
]

model = dict(
    backbone=dict(embed_dims=96, depth=3, num_joints=_base_.num_joints),
    cls_head=dict(in_channels=96, num_classes=_base_.num_classes),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
train_dataloader = None
