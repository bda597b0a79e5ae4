"""Linear probe after pre-training on another set: NW-UCLA to SBU, 20 joints to 15.

python tools/train.py configs/benchmarks/transfer/linear_nw-ucla-to-sbu_small.py
"""

_base_ = '../linear/linear_sbu_small.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='PretrainedSkeleton',
            source_layout='kinect_v1',
            target_layout='sbu',
            checkpoint='work_dirs/fdmae_nw-ucla_small/epoch_15.pth',
        )
    )
)
