"""1-NN on frozen features, NTU RGB+D 120 cross-subject.

tools/dist_test.sh configs/benchmarks/knn/knn_ntu120.py CHECKPOINT 8
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/ntu120.py',
    '../../_base_/benchmarks/knn.py',
]

model = dict(
    backbone=dict(num_joints=_base_.num_joints),
    cls_head=dict(num_classes=_base_.num_classes),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
train_dataloader = None
