"""Fine-tuning, MSR-Action3D cross-subject, on joints, bones and motion.

    fdmae train finetune_msr-action3d_small_streams \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = './finetune_msr-action3d_small.py'

model = dict(
    backbone=dict(
        streams=('joint', 'bone', 'joint_motion'),
        layout=_base_.train_view[0].layout,
        init_cfg=dict(checkpoint='work_dirs/fdmae_msr-action3d_small_streams/epoch_15.pth'),
    )
)
