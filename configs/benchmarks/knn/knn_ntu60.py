"""k-NN on frozen features, NTU RGB+D 60 cross-subject, 1 neighbour by cosine.

    python tools/test.py configs/benchmarks/knn/knn_ntu60.py \
        CHECKPOINT
"""

_base_ = [
    '../../_base_/default_runtime.py',
    '../../_base_/datasets/ntu60.py',
    '../../_base_/evaluation.py',
]

model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=8,
        num_heads=8,
        num_joints=25,
        clip_len=120,
    ),
    cls_head=dict(type='KNNHead', num_classes=_base_.num_classes, in_channels=256, k=1),
)
custom_hooks = [dict(type='FeatureBankHook', dataloader=_base_.bank_dataloader)]
test_dataloader = _base_.eval_dataloader
# Nothing is trained.
train_dataloader = None
val_cfg = None
val_evaluator = None
