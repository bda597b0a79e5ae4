"""Linear probe on MSR-Action3D of an encoder pre-trained on four small sets.

fdmae probe linear_pooled-to-msr-action3d_small CHECKPOINT
"""

_base_ = '../linear/linear_msr-action3d_small.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='PretrainedSkeleton',
            source_layout='kinect_v1',
            target_layout='kinect_v1_msr_action3d',
            checkpoint='work_dirs/fdmae_pooled_small/epoch_15.pth',
        )
    )
)
