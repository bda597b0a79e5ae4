"""FDMAE whose momentum path sees the whole clip (ablation).

    python tools/train.py configs/ablations/fdmae_nw-ucla_small_full-view.py

Not run here yet: no result is claimed.
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(teacher_view='full')
