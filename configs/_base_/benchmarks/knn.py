"""k-NN on frozen features, one neighbour by cosine. Nothing is trained."""

protocol = 'knn'
model = dict(
    type='RecognizerGCN',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=8,
        num_heads=8,
        clip_len=120,
    ),
    cls_head=dict(type='KNNHead', in_channels=256, k=1),
)
test_evaluator = dict(type='AccReport')
test_cfg = dict()
