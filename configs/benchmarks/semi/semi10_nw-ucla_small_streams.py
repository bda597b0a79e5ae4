"""Fine-tuning with 10 % of the labels of each class, NW-UCLA cross-view,
on joints, bones and motion.

As many steps as fine-tuning with all labels.

    fdmae train semi10_nw-ucla_small_streams \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_nw-ucla_small_streams.py'

protocol = 'semi10'
train_dataloader = dict(
    dataset=dict(times=100, dataset=dict(label_share=0.1, draw_seed=0))
)
