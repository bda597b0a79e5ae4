"""FDMAE without frequency heads (ablation).

    python tools/train.py configs/ablations/fdmae_nw-ucla_small_no-frequency.py

Not run here yet: no result is claimed.
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(_delete_=True, time=_base_.model.heads.time))
