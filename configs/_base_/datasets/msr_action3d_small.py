"""MSR-Action3D, cross-subject (odd train, even test), clips of 32 frames.

Loaders, crop and rotation are those of NW-UCLA.
"""

_base_ = './nw_ucla_small.py'

align = dict(_base_.train_view[0], layout='kinect_v1_msr_action3d')
train_view = [align, *_base_.train_view[1:]]
test_view = [align, *_base_.test_view[1:]]
num_classes = 20
num_joints = 20
source = dict(ann_file='data/msr_action3d.pkl', num_joints=num_joints)
# As many steps an epoch as ten passes over NW-UCLA.
train_dataloader = dict(
    dataset=dict(
        times=35,
        dataset=dict(
            **source, split='xsub_train', pipeline=[*train_view, *_base_.pack]
        ),
    )
)
eval_dataloader = dict(
    dataset=dict(**source, split='xsub_val', pipeline=[*test_view, *_base_.pack])
)
bank_dataloader = dict(
    dataset=dict(**source, split='xsub_train', pipeline=[*test_view, *_base_.pack])
)
