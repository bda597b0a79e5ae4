"""MAMP, the synthetic set, cross-view, in a size that a CPU trains.

python tools/train.py configs/mamp_synthetic.py
"""

_base_ = './mae_synthetic.py'

model = dict(heads=dict(time=dict(target=dict(type='MotionTarget'))))
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
                    type='PackActionInputs',
                    meta_keys=('frame_dir',),
                    algorithm_keys=('mask',),
                ),
            ]
        )
    )
)
