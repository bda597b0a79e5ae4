"""FDMAE, the synthetic set, cross-view, a size that a CPU trains.

python tools/train.py configs/fdmae_synthetic.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/synthetic.py',
    './_base_/models/fdmae_small.py',
    './_base_/schedules/pretrain_synthetic.py',
]

model = dict(
    backbone=dict(embed_dims=96, depth=3, num_joints=_base_.num_joints),
    decoder=dict(depth=1),
    heads=dict(frequency=dict(signal='joint')),
)
# A short run wants a teacher that follows faster.
custom_hooks = [dict(type='EMATeacherHook', momentum=0.02)]
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
