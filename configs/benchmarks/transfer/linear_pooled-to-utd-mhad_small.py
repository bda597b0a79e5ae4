"""Linear probe on UTD-MHAD of an encoder pre-trained on four small sets.

fdmae probe linear_pooled-to-utd-mhad_small CHECKPOINT
"""

_base_ = '../linear/linear_utd-mhad_small.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='PretrainedSkeleton',
            source_layout='kinect_v1',
            target_layout='kinect_v1_utd_mhad',
            checkpoint='work_dirs/fdmae_pooled_small/epoch_15.pth',
        )
    )
)
