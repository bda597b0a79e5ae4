"""Fine-tuning with 1 % of the labels of each class, PKU-MMD II cross-subject.

    tools/dist_train.sh configs/benchmarks/semi/semi1_pku-mmd2.py 2 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_pku-mmd2.py'

protocol = 'semi1'
# Ten passes an epoch: one pass over these 41 clips or so has no full step of 48, and a
# step that is not full can leave a process one clip, which batch norm cannot train on.
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=10,
        dataset=dict(_base_.train_dataloader.dataset, label_share=0.01, draw_seed=0),
    )
)
