"""Linear probe on SBU fold 1 of an encoder pre-trained on four small sets.

fdmae probe linear_pooled-to-sbu_small CHECKPOINT
"""

_base_ = '../linear/linear_sbu_small.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='PretrainedSkeleton',
            source_layout='kinect_v1',
            target_layout='sbu',
            checkpoint='work_dirs/fdmae_pooled_small/epoch_15.pth',
        )
    )
)
