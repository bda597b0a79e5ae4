"""1-NN on frozen features, UTD-MHAD cross-subject.

python tools/test.py configs/benchmarks/knn/knn_utd-mhad_small.py CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/utd_mhad_small.py',
    '../../_base_/benchmarks/knn_small.py',
]

model = dict(
    backbone=dict(num_joints=_base_.num_joints),
    cls_head=dict(num_classes=_base_.num_classes),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
train_dataloader = None
