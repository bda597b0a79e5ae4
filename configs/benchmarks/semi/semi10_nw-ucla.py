"""Fine-tuning with 10 % of the labels of each class, NW-UCLA cross-view.

As many steps as fine-tuning with all labels.

    python tools/train.py configs/benchmarks/semi/semi10_nw-ucla.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_nw-ucla.py'

protocol = 'semi10'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=10,
        dataset=dict(_base_.train_dataloader.dataset, label_share=0.1, draw_seed=0),
    )
)
