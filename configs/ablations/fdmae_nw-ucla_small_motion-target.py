"""FDMAE with motion instead of joints as the target of the time head (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_motion-target.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(heads=dict(time=dict(target=dict(type='MotionTarget'))))
