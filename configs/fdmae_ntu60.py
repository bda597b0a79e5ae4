"""FDMAE, NTU RGB+D 60 cross-subject, joint stream, 8 GPUs x 32 clips.

    tools/dist_train.sh configs/fdmae_ntu60.py 8

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/ntu60.py',
    './_base_/models/fdmae.py',
    './_base_/schedules/pretrain.py',
]

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
auto_scale_lr = dict(base_batch_size=256)
