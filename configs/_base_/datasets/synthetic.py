"""The embedded synthetic set, cross-view, up to two persons, clips of 32 frames.

Loaders, crop and rotation are those of NW-UCLA.
"""

_base_ = './nw_ucla_small.py'

align = dict(_base_.train_view[0], layout='nturgb+d')
format_input = dict(type='FormatGCNInput', num_person=2)
train_view = [align, *_base_.train_view[1:-1], format_input]
test_view = [align, _base_.test_view[1], format_input]
num_classes = 20
num_joints = 25
source = dict(ann_file='data/synthetic.pkl', num_joints=num_joints)
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        dataset=dict(
            **source, split='xview_train', pipeline=[*train_view, *_base_.pack]
        )
    ),
)
eval_dataloader = dict(
    dataset=dict(**source, split='xview_val', pipeline=[*test_view, *_base_.pack])
)
bank_dataloader = dict(
    dataset=dict(**source, split='xview_train', pipeline=[*test_view, *_base_.pack])
)
