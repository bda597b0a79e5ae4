"""FDMAE with wide windows in time and motion-aware masking (ablation).

python tools/train.py configs/ablations/fdmae_utd-mhad_small_wide-windows.py

Joints in windows of 8, 16 and 32 frames. It was the default before random masking and
windows of one token: its records name the config and revision that they were run with.
"""

_base_ = '../fdmae_utd-mhad_small.py'

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
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *masking]))
)
