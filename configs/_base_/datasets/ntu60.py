"""NTU RGB+D 60, cross-subject, clips of 120 frames, up to two persons.

Crop, resize and rotation are those of MAMP.

`train_view` and `test_view` end at (K, M, T, V, C); a pre-training config adds masking
to `train_view`.
"""

train_view = [
    dict(type='AlignSkeleton', layout='nturgb+d', rotate='none'),
    dict(
        type='TemporalCropResize',
        clip_len=120,
        crop_range=(0.5, 1.0),
        min_frames=64,
    ),
    dict(type='RandomRotate3D', theta=0.3),
    dict(type='FormatGCNInput', num_person=2),
]
test_view = [
    dict(type='AlignSkeleton', layout='nturgb+d', rotate='none'),
    dict(
        type='TemporalCropResize',
        clip_len=120,
        crop_range=(0.95, 0.95),
        test_mode=True,
    ),
    dict(type='FormatGCNInput', num_person=2),
]
pack = [dict(type='PackActionInputs', meta_keys=('frame_dir',))]

num_classes = 60
num_joints = 25
source = dict(
    type='SkeletonDataset', ann_file='data/ntu60_3d.pkl', num_joints=num_joints
)
train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    collate_fn=dict(type='stacked_transfer'),
    persistent_workers=False,
    worker_init_fn=dict(type='torch_seeded_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**source, split='xsub_train', pipeline=[*train_view, *pack]),
)
eval_dataloader = dict(
    batch_size=64,
    num_workers=8,
    collate_fn=dict(type='stacked_transfer'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **source, split='xsub_val', pipeline=[*test_view, *pack], test_mode=True
    ),
)
# The labelled clips of k-NN, as a test sees them.
bank_dataloader = dict(
    batch_size=64,
    num_workers=8,
    collate_fn=dict(type='stacked_transfer'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **source, split='xsub_train', pipeline=[*test_view, *pack], test_mode=True
    ),
)
