"""1-NN on frozen features, PKU-MMD I cross-view.

tools/dist_test.sh configs/benchmarks/knn/knn_pku-mmd1-xview.py CHECKPOINT 8
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/pku_mmd1_xview.py',
    '../../_base_/benchmarks/knn.py',
]

model = dict(
    backbone=dict(num_joints=_base_.num_joints),
    cls_head=dict(num_classes=_base_.num_classes),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
train_dataloader = None
