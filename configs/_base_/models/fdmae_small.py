"""FDMAE in a size that a CPU trains, for clips of 32 frames."""

_base_ = './fdmae.py'

model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, clip_len=32),
    decoder=dict(embed_dims=64, depth=2, num_heads=4),
    heads=dict(
        frequency=dict(windows=(32, 16, 8), band_edges=(0, 1 / 16, 1 / 8, 1 / 2))
    ),
    momentum_head=dict(windows=(16,)),
    max_cells=4,
)
