"""FDMAE in small on joints, bones and motion; its bands are of the joints.

A dataset's config names the layout.
"""

_base_ = './fdmae_small.py'

model = dict(
    backbone=dict(streams=('joint', 'bone', 'joint_motion')),
    heads=dict(frequency=dict(signal='joint')),
)
