"""MAE on joints, the size of MAMP on NTU RGB+D 60: 8 encoder and 3 decoder blocks."""

model = dict(
    type='SkeletonMAE',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=8,
        num_heads=8,
        num_joints=25,
        clip_len=120,
        t_patch_size=4,
    ),
    decoder=dict(type='SelfAttentionDecoder', embed_dims=256, depth=3, num_heads=8),
    heads=dict(
        time=dict(
            type='WindowHead',
            window=4,
            target=dict(type='JointTarget', normalize=True),
            loss=dict(type='MaskedReconstructionLoss'),
        )
    ),
)
masking = [
    dict(type='RandomSkeletonMasking', mask_ratio=0.9, t_patch_size=4),
    dict(type='PackActionInputs', meta_keys=('frame_dir',), algorithm_keys=('mask',)),
]
