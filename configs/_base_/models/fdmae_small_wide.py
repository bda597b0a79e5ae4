"""FDMAE in small with joints in windows of 8, 16 and 32 frames, masked by motion."""

_base_ = './fdmae_small.py'

time = dict(_base_.model.heads.time, loss_weight=1 / 3)
model = dict(
    heads=dict(
        _delete_=True,
        time=dict(time, window=8),
        time16=dict(time, window=16),
        time32=dict(time, window=32),
        frequency=_base_.model.heads.frequency,
    ),
    max_cells=2,
)
masking = [
    dict(type='MotionAwareSkeletonMasking', mask_ratio=0.9, t_patch_size=4, tau=0.8),
    *_base_.masking[1:],
]
