"""Fine-tuning with 1 % of the labels of each class, MSR-Action3D cross-subject.

As many steps as fine-tuning with all labels.

    python tools/train.py configs/benchmarks/semi/semi1_msr-action3d_small.py \
        --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT

Another draw of labels: train_dataloader.dataset.dataset.draw_seed=1.
"""

_base_ = '../finetune/finetune_msr-action3d_small.py'

protocol = 'semi1'
train_dataloader = dict(dataset=dict(times=3500, dataset=dict(label_share=0.01)))
