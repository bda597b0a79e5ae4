"""FDMAE with the decoder of MAE, whose only window is the token (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_self-decoder.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(
    decoder=dict(type='SelfAttentionDecoder'),
    heads=dict(
        frequency=dict(windows=(4,), assignment='all', band_edges=(0, 1 / 8, 1 / 2))
    ),
    momentum_head=dict(windows=(4,)),
    # This decoder computes every cell, whatever is asked for.
    max_cells=None,
)
