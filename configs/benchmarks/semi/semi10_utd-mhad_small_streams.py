"""Fine-tuning with 10 % of the labels of each class, UTD-MHAD cross-subject,
on joints, bones and motion.

Two of the 16 clips of a class, or 12.5 %; 202 steps an epoch, where fine-tuning with
all labels takes 161.

    fdmae train semi10_utd-mhad_small_streams \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_utd-mhad_small_streams.py'

protocol = 'semi10'
train_dataloader = dict(
    dataset=dict(times=240, dataset=dict(label_share=0.1, draw_seed=0))
)
