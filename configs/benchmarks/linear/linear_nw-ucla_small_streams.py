"""Linear probe, NW-UCLA cross-view, on joints, bones and motion.

    fdmae train linear_nw-ucla_small_streams \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = './linear_nw-ucla_small.py'

model = dict(
    backbone=dict(
        streams=('joint', 'bone', 'joint_motion'),
        layout=_base_.train_view[0].layout,
        init_cfg=dict(checkpoint='work_dirs/fdmae_nw-ucla_small_streams/epoch_15.pth'),
    )
)
