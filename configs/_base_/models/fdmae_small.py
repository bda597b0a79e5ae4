"""FDMAE in a size that a CPU trains, for clips of 32 frames.

Joints are reconstructed in windows of three lengths, and the bands of their motion.
"""

_base_ = './fdmae.py'

time = dict(
    type='WindowHead',
    target=dict(type='JointTarget', normalize=True),
    loss=dict(type='MaskedReconstructionLoss'),
    loss_weight=1 / 3,
)
model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, clip_len=32),
    decoder=dict(embed_dims=64, depth=2, num_heads=4),
    heads=dict(
        time=dict(window=8, loss_weight=1 / 3),
        time16=dict(window=16, **time),
        time32=dict(window=32, **time),
        frequency=dict(windows=(32, 16, 8), band_edges=(0, 1 / 16, 1 / 8, 1 / 2)),
    ),
    momentum_head=dict(windows=(16,)),
    max_cells=2,
)
