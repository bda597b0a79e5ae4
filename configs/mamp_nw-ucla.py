"""MAMP, NW-UCLA cross-view, paper size.

    tools/dist_train.sh configs/mamp_nw-ucla.py 1

Not run here yet: no result is claimed.
"""

_base_ = './mae_nw-ucla.py'

model = dict(heads=dict(time=dict(target=dict(type='MotionTarget'))))
train_dataloader = dict(
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
                type='PackActionInputs',
                meta_keys=('frame_dir',),
                algorithm_keys=('mask',),
            ),
        ]
    )
)
