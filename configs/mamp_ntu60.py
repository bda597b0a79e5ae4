"""MAMP (Mao et al., ICCV 2023): motion-aware masking, normalised motion.

    tools/dist_train.sh configs/mamp_ntu60.py 4

Not run here yet: no result is claimed.
"""

_base_ = './mae_ntu60.py'

# As published: an absent second person is encoded and reconstructed like any other.
model = dict(
    backbone=dict(encode_absent=True),
    heads=dict(time=dict(target=dict(type='MotionTarget'))),
)
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
