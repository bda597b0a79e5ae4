"""FDMAE, NW-UCLA cross-view, in a size that a CPU trains.

python tools/train.py configs/fdmae_nw-ucla_small.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/nw_ucla_small.py',
    './_base_/models/fdmae.py',
    './_base_/schedules/pretrain_small.py',
]

# Motion is reconstructed in windows of three lengths.
time = dict(
    type='WindowHead',
    target=dict(type='MotionTarget'),
    loss=dict(type='MaskedReconstructionLoss'),
    loss_weight=1 / 3,
)
model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, num_joints=20, clip_len=32),
    decoder=dict(embed_dims=64, depth=2, num_heads=4),
    heads=dict(
        time=dict(window=8, loss_weight=1 / 3),
        time16=dict(window=16, **time),
        time32=dict(window=32, **time),
        frequency=dict(windows=(32, 16, 8), band_edges=(0, 1 / 16, 1 / 8, 1 / 2)),
    ),
)
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            pipeline=[
                *_base_.train_view,
                dict(
                    type='MotionAwareSkeletonMasking',
                    mask_ratio=0.9,
                    t_patch_size=4,
                    tau=0.8,
                ),
                dict(
                    type='RandomSkeletonMasking',
                    mask_ratio=0.9,
                    t_patch_size=4,
                    key='teacher_mask',
                ),
                dict(
                    type='PackActionInputs',
                    meta_keys=('frame_dir',),
                    algorithm_keys=('mask', 'teacher_mask'),
                ),
            ]
        )
    )
)
