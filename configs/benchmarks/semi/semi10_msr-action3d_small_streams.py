"""Fine-tuning with 10 % of the labels of each class, MSR-Action3D cross-subject,
on joints, bones and motion.

One or two of the 9 to 15 clips of a class, or 12.7 %; 202 steps an epoch, where
fine-tuning with all labels takes 159.

    fdmae train semi10_msr-action3d_small_streams \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_msr-action3d_small_streams.py'

protocol = 'semi10'
train_dataloader = dict(
    dataset=dict(times=350, dataset=dict(label_share=0.1, draw_seed=0))
)
