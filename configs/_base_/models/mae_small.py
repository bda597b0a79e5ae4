"""MAE in a size that a CPU trains, for clips of 32 frames."""

_base_ = './mae.py'

model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, clip_len=32),
    decoder=dict(embed_dims=64, depth=2, num_heads=4),
)
