"""k-NN on frozen features of `_small` encoders."""

_base_ = './knn.py'

model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, clip_len=32),
    cls_head=dict(in_channels=128),
)
