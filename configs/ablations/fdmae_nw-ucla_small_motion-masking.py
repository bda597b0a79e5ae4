"""FDMAE with tokens masked by their motion, as MAMP has it (ablation).

python tools/train.py configs/ablations/fdmae_nw-ucla_small_motion-masking.py
"""

_base_ = '../fdmae_nw-ucla_small.py'

masking = [
    dict(type='MotionAwareSkeletonMasking', mask_ratio=0.9, t_patch_size=4, tau=0.8),
    *_base_.masking[1:],
]
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *masking]))
)
