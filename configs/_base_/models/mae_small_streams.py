"""MAE in small on joints, bones and motion; it completes joints.

A dataset's config names the layout.
"""

_base_ = './mae_small.py'

model = dict(backbone=dict(streams=('joint', 'bone', 'joint_motion')))
