"""The encoder of every protocol, tested by top-k and its interval."""

model = dict(
    type='RecognizerGCN',
    data_preprocessor=dict(type='StackedDataPreprocessor'),
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=8,
        num_heads=8,
        clip_len=120,
    ),
    cls_head=dict(in_channels=256),
)
test_evaluator = dict(type='AccReport')
test_cfg = dict()
