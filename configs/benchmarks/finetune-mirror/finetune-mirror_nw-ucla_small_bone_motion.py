"""Fine-tuning with mirror images, NW-UCLA cross-view, motion stream of bones.

    fdmae train finetune-mirror_nw-ucla_small_bone_motion \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
"""

_base_ = '../finetune/finetune_nw-ucla_small_bone_motion.py'

protocol = 'finetune-mirror'
# Left becomes right in half of the clips: no class of this set is of a side.
mirror = dict(type='SkeletonFlip', layout='kinect_v1')
pipeline = [_base_.train_view[0], mirror, *_base_.train_view[1:], *_base_.pack]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=pipeline)))
