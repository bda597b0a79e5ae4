"""Fine-tuning after pre-training on another set: NTU RGB+D 60 to PKU-MMD II.

tools/dist_train.sh configs/benchmarks/transfer/finetune_ntu60-to-pku-mmd2.py 2
"""

_base_ = '../finetune/finetune_pku-mmd2.py'

model = dict(
    backbone=dict(
        init_cfg=dict(
            checkpoint='work_dirs/fdmae_ntu60/epoch_400.pth',
        )
    )
)
