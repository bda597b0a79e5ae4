"""Fine-tuning with 10 % of the labels of each class, NTU RGB+D 120 cross-setup.

    tools/dist_train.sh configs/benchmarks/semi/semi10_ntu120-xset.py 2 \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_ntu120-xset.py'

protocol = 'semi10'
train_dataloader = dict(dataset=dict(label_share=0.1, draw_seed=0))
