"""STGCN++ of MMAction2 (Duan et al., ACM MM 2022), trained with labels from scratch.

The supervised reference: stock model and optimizer, on the clips that a small encoder
is given. A config names joints and classes.
"""

protocol = 'supervised'
model = dict(
    type='RecognizerGCN',
    data_preprocessor=dict(type='StackedDataPreprocessor'),
    backbone=dict(
        type='STGCN',
        gcn_adaptive='init',
        gcn_with_res=True,
        tcn_type='mstcn',
        graph_cfg=dict(mode='spatial'),
    ),
    cls_head=dict(type='GCNHead', in_channels=256),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True),
)
param_scheduler = [
    dict(type='CosineAnnealingLR', end=3, T_max=3, convert_to_iter_based=True)
]
# 30 passes over NW-UCLA, as many steps on the others.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=3)
auto_scale_lr = dict(enable=False, base_batch_size=64)
val_evaluator = dict(type='AccReport')
test_evaluator = val_evaluator
val_cfg = dict()
test_cfg = dict()
