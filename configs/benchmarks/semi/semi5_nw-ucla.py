"""Fine-tuning with 5 % of the labels of each class, NW-UCLA cross-view.

As many steps as fine-tuning with all labels.

    python tools/train.py configs/benchmarks/semi/semi5_nw-ucla.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_nw-ucla.py'

protocol = 'semi5'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=20,
        dataset=dict(_base_.train_dataloader.dataset, label_share=0.05, draw_seed=0),
    )
)
