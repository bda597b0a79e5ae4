"""MAE baseline: random masking, normalised joints, self-attention decoder.

    tools/dist_train.sh configs/mae_ntu60.py 4

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/ntu60.py',
    './_base_/models/mae.py',
    './_base_/schedules/pretrain.py',
]

train_dataloader = dict(
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
