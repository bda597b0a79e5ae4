"""Fine-tuning with 1 % of the labels of each class, PKU-MMD I cross-subject.

    tools/dist_train.sh configs/benchmarks/semi/semi1_pku-mmd1.py 2 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_pku-mmd1.py'

protocol = 'semi1'
train_dataloader = dict(dataset=dict(label_share=0.01, draw_seed=0))
