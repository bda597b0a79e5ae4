"""MAMP, the synthetic set, cross-view, a size that a CPU trains.

python tools/train.py configs/mamp_synthetic.py
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/datasets/synthetic.py',
    './_base_/models/mamp_small.py',
    './_base_/schedules/pretrain_small.py',
]

model = dict(
    backbone=dict(embed_dims=96, depth=3, num_joints=_base_.num_joints),
    decoder=dict(depth=1),
)
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*_base_.train_view, *_base_.masking]))
)
# A higher rate, smaller batches and 40 passes: the quickstart must end within six
# minutes on two cores.
optim_wrapper = dict(optimizer=dict(lr=3e-3))
auto_scale_lr = dict(base_batch_size=32)
train_cfg = dict(max_epochs=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', end=4, T_max=4, convert_to_iter_based=True),
]
