"""k-NN on frozen features, the synthetic set, cross-view, 1 neighbour by cosine.

    python tools/test.py configs/benchmarks/knn/knn_synthetic.py \
        CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/synthetic.py',
    '../../_base_/evaluation.py',
]

model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=96,
        depth=3,
        num_heads=4,
        num_joints=25,
        clip_len=32,
    ),
    cls_head=dict(type='KNNHead', num_classes=_base_.num_classes, in_channels=96, k=1),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
# Nothing is trained.
train_dataloader = None
val_cfg = None
val_evaluator = None
