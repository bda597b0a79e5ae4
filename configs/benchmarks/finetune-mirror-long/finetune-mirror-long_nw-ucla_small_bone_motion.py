"""Fine-tuning with mirror images, three times the steps, NW-UCLA, motion of bones.

    fdmae train finetune-mirror-long_nw-ucla_small_bone_motion \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = '../finetune-mirror/finetune-mirror_nw-ucla_small_bone_motion.py'

protocol = 'finetune-mirror-long'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, end=50, by_epoch=False),
    dict(type='CosineAnnealingLR', end=6, T_max=6, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=6)
