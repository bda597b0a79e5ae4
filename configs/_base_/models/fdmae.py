"""FDMAE of paper size, for clips of 120 frames and 25 joints.

Windows of 120, 24 and 8 frames take the bands below 1/48, below 1/8 and up to 1/2
cycles a frame: 5 + 5 x 5 + 15 x 6 = 120 coefficients a joint and coordinate, as many as
frames. Of the 30 cells of one token and the 15 of 8 frames a step decodes five each,
drawn anew each time.
"""

model = dict(
    type='FDMAE',
    backbone=dict(
        type='SkeletonTransformer',
        embed_dims=256,
        depth=8,
        num_heads=8,
        num_joints=25,
        clip_len=120,
        t_patch_size=4,
    ),
    decoder=dict(type='CrossAttentionDecoder', embed_dims=128, depth=3, num_heads=4),
    heads=dict(
        time=dict(
            type='WindowHead',
            window=4,
            target=dict(type='JointTarget', normalize=True),
            loss=dict(type='MaskedReconstructionLoss'),
        ),
        frequency=dict(
            type='FrequencyHead',
            windows=(120, 24, 8),
            band_edges=(0, 1 / 48, 1 / 8, 1 / 2),
            loss=dict(type='FrequencyDecoupledLoss', normalize='cell'),
        ),
    ),
    momentum_head=dict(type='MomentumHead', windows=(24,)),
    max_cells=5,
)
custom_hooks = [dict(type='EMATeacherHook', momentum=0.004)]
masking = [
    dict(type='RandomSkeletonMasking', mask_ratio=0.9, t_patch_size=4),
    dict(
        type='RandomSkeletonMasking',
        mask_ratio=0.9,
        t_patch_size=4,
        key='teacher_mask',
    ),
    dict(
        type='PackActionInputs',
        meta_keys=('frame_dir',),
        algorithm_keys=('mask', 'teacher_mask'),
    ),
]
