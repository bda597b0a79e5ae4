"""NW-UCLA, cross-view (train v01 and v02, test v03), clips of 64 frames.

`train_view` and `test_view` end at (K, M, T, V, C); a pre-training config adds masking
to `train_view`.
"""

train_view = [
    dict(type='AlignSkeleton', layout='kinect_v1', rotate='vertical', center='clip'),
    dict(
        type='TemporalCropResize',
        clip_len=64,
        crop_range=(0.5, 1.0),
        min_frames=16,
    ),
    dict(type='RandomRotate3D', theta=0.3),
    dict(type='FormatGCNInput', num_person=1),
]
test_view = [
    dict(type='AlignSkeleton', layout='kinect_v1', rotate='vertical', center='clip'),
    dict(
        type='TemporalCropResize',
        clip_len=64,
        crop_range=(0.95, 0.95),
        test_mode=True,
    ),
    dict(type='FormatGCNInput', num_person=1),
]
pack = [dict(type='PackActionInputs', meta_keys=('frame_dir',))]

num_classes = 10
num_joints = 20
source = dict(
    type='SkeletonDataset', ann_file='data/nw_ucla.pkl', num_joints=num_joints
)
train_dataloader = dict(
    batch_size=128,
    num_workers=2,
    collate_fn=dict(type='stacked_transfer'),
    persistent_workers=False,
    worker_init_fn=dict(type='torch_seeded_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
    dataset=dict(**source, split='xview_train', pipeline=[*train_view, *pack]),
)
eval_dataloader = dict(
    batch_size=64,
    num_workers=2,
    collate_fn=dict(type='stacked_transfer'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **source, split='xview_val', pipeline=[*test_view, *pack], test_mode=True
    ),
)
# The labelled clips of k-NN, as a test sees them.
bank_dataloader = dict(
    batch_size=64,
    num_workers=2,
    collate_fn=dict(type='stacked_transfer'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **source, split='xview_train', pipeline=[*test_view, *pack], test_mode=True
    ),
)
