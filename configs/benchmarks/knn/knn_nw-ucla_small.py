"""k-NN on frozen features, NW-UCLA cross-view, 1 neighbour by cosine.

    python tools/test.py configs/benchmarks/knn/knn_nw-ucla_small.py \
        CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/nw_ucla_small.py',
    '../../_base_/evaluation.py',
]

model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=128,
        depth=4,
        num_heads=4,
        num_joints=20,
        clip_len=32,
    ),
    cls_head=dict(type='KNNHead', num_classes=_base_.num_classes, in_channels=128, k=1),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
# Nothing is trained.
train_dataloader = None
val_cfg = None
val_evaluator = None
