"""MAE baseline, NW-UCLA cross-view, in small, on joints, bones and motion.

python tools/train.py configs/mae_nw-ucla_small_streams.py
"""

_base_ = './mae_nw-ucla_small.py'

model = dict(
    backbone=dict(
        streams=('joint', 'bone', 'joint_motion'),
        layout=_base_.train_view[0].layout,
    )
)
