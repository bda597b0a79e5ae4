"""MAE baseline, the synthetic set, cross-view, a size that a CPU trains.

python tools/train.py configs/mae_synthetic.py

Not run here yet: no result is claimed.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/synthetic.py',
    './_base_/models/mae_small.py',
    './_base_/schedules/pretrain_synthetic.py',
]

model = dict(
    backbone=dict(embed_dims=96, depth=3, num_joints=_base_.num_joints),
    decoder=dict(depth=1),
)
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
