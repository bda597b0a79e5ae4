"""FDMAE in small with motion in time in place of its bands, at the same scales."""

_base_ = './fdmae_small.py'

motion = dict(
    type='WindowHead',
    target=dict(type='MotionTarget', normalize=True),
    loss=dict(type='MaskedReconstructionLoss'),
    loss_weight=1 / 3,
)
model = dict(
    heads=dict(
        _delete_=True,
        time=_base_.model.heads.time,
        motion8=dict(window=8, **motion),
        motion16=dict(window=16, **motion),
        motion32=dict(window=32, **motion),
    )
)
