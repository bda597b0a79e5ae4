"""FDMAE, NW-UCLA cross-view, in small, on joints, bones and motion.

Its bands are of the joints: those of motion are too close to what it is given.

python tools/train.py configs/fdmae_nw-ucla_small_streams.py
"""

_base_ = './fdmae_nw-ucla_small.py'

model = dict(
    backbone=dict(
        streams=('joint', 'bone', 'joint_motion'),
        layout=_base_.train_view[0].layout,
    ),
    heads=dict(frequency=dict(signal='joint')),
)
