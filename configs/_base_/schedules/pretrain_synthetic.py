"""40 passes in 4 epochs: the quickstart must end within six minutes on two cores.

So the rate is higher and the batches are smaller than those of other small sets.
"""

_base_ = './pretrain_small.py'

optim_wrapper = dict(optimizer=dict(lr=3e-3))
auto_scale_lr = dict(base_batch_size=32)
train_cfg = dict(max_epochs=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=200, by_epoch=False),
    dict(type='CosineAnnealingLR', end=4, T_max=4, convert_to_iter_based=True),
]
