"""FDMAE whose momentum path sees the whole clip (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_full-view.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(teacher_view='full')
