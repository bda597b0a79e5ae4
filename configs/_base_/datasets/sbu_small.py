"""SBU Kinect Interaction, two persons, fold 1 of 5, clips of 32 frames.

`train_view` and `test_view` end at (K, M, T, V, C); a pre-training config adds masking
to `train_view`.
"""

train_view = [
    dict(type='AlignSkeleton', layout='sbu', rotate='vertical', center='clip'),
    dict(
        type='TemporalCropResize',
        clip_len=32,
        crop_range=(0.5, 1.0),
        min_frames=8,
    ),
    dict(type='RandomRotate3D', theta=0.3),
    dict(type='FormatGCNInput', num_person=2),
]
test_view = [
    dict(type='AlignSkeleton', layout='sbu', rotate='vertical', center='clip'),
    dict(
        type='TemporalCropResize',
        clip_len=32,
        crop_range=(0.95, 0.95),
        test_mode=True,
    ),
    dict(type='FormatGCNInput', num_person=2),
]
pack = [dict(type='PackActionInputs', meta_keys=('frame_dir',))]

num_classes = 8
num_joints = 15
source = dict(type='SkeletonDataset', ann_file='data/sbu.pkl', num_joints=num_joints)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    worker_init_fn=dict(type='torch_seeded_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
    # 45 passes an epoch: as many steps as ten passes over NW-UCLA.
    dataset=dict(
        type='RepeatDataset',
        times=45,
        dataset=dict(**source, split='fold1_train', pipeline=[*train_view, *pack]),
    ),
)
eval_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **source, split='fold1_val', pipeline=[*test_view, *pack], test_mode=True
    ),
)
# The labelled clips of k-NN, as a test sees them.
bank_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **source, split='fold1_train', pipeline=[*test_view, *pack], test_mode=True
    ),
)
