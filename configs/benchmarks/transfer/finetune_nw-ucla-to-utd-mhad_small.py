"""Fine-tuning after pre-training on another set: NW-UCLA to UTD-MHAD, 20 joints.

python tools/train.py configs/benchmarks/transfer/finetune_nw-ucla-to-utd-mhad_small.py
"""

_base_ = '../finetune/finetune_utd-mhad_small.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='PretrainedSkeleton',
            source_layout='kinect_v1',
            target_layout='kinect_v1_utd_mhad',
            checkpoint='work_dirs/fdmae_nw-ucla_small/epoch_15.pth',
        )
    )
)
