"""FDMAE with its high band split in two, the upper half for the token (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_four-bands.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(
    heads=dict(
        frequency=dict(
            windows=(32, 16, 8, 4), band_edges=(0, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
        )
    )
)
