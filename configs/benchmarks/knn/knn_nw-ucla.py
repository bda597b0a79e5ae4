"""1-NN on frozen features, NW-UCLA cross-view.

python tools/test.py configs/benchmarks/knn/knn_nw-ucla.py CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla.py',
    '../../_base_/benchmarks/knn.py',
]

model = dict(
    backbone=dict(clip_len=64, num_joints=_base_.num_joints),
    cls_head=dict(num_classes=_base_.num_classes),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
train_dataloader = None
