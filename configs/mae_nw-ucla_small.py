"""MAE baseline, NW-UCLA cross-view, in a size that a CPU trains.

python tools/train.py configs/mae_nw-ucla_small.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/nw_ucla_small.py',
    './_base_/models/mae.py',
    './_base_/schedules/pretrain_small.py',
]

model = dict(
    backbone=dict(embed_dims=128, depth=4, num_heads=4, num_joints=20, clip_len=32),
    decoder=dict(embed_dims=64, depth=2, num_heads=4),
)
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            pipeline=[
                *_base_.train_view,
                dict(type='RandomSkeletonMasking', mask_ratio=0.9, t_patch_size=4),
                dict(
                    type='PackActionInputs',
                    meta_keys=('frame_dir',),
                    algorithm_keys=('mask',),
                ),
            ]
        )
    )
)
