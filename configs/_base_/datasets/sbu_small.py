"""SBU Kinect Interaction, two persons, fold 1 of 5, clips of 32 frames.

Loaders, crop and rotation are those of NW-UCLA.
"""

_base_ = './nw_ucla_small.py'

align = dict(_base_.train_view[0], layout='sbu')
crop = dict(_base_.train_view[1], min_frames=8)
format_input = dict(type='FormatGCNInput', num_person=2)
train_view = [align, crop, _base_.train_view[2], format_input]
test_view = [align, _base_.test_view[1], format_input]
num_classes = 8
num_joints = 15
source = dict(ann_file='data/sbu.pkl', num_joints=num_joints)
# As many steps an epoch as ten passes over NW-UCLA.
train_dataloader = dict(
    dataset=dict(
        times=45,
        dataset=dict(
            **source, split='fold1_train', pipeline=[*train_view, *_base_.pack]
        ),
    )
)
eval_dataloader = dict(
    dataset=dict(**source, split='fold1_val', pipeline=[*test_view, *_base_.pack])
)
bank_dataloader = dict(
    dataset=dict(**source, split='fold1_train', pipeline=[*test_view, *_base_.pack])
)
