"""FDMAE with the windows in time and the masking of MAE (ablation).

    python tools/train.py configs/ablations/fdmae_nw-ucla_small_small-windows.py

Joints in windows of one token, tokens masked at random; bands and momentum path stay.
Held-out subjects of the training split: docs/experiments.md. Not tested here yet.
"""

_base_ = '../fdmae_nw-ucla_small.py'

model = dict(
    heads=dict(
        _delete_=True,
        time=dict(_base_.model.heads.time, window=4, loss_weight=1.0),
        frequency=_base_.model.heads.frequency,
    ),
    max_cells=4,
)
# The teacher's masking is random: the online path takes the same.
masking = [dict(_base_.masking[1], key='mask'), *_base_.masking[1:]]
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *masking]))
)
