"""The motion stream of bones of nw_ucla_small."""

_base_ = './nw_ucla_small.py'

stream = dict(type='SkeletonStream', layout='kinect_v1', stream='bone_motion')
train_view = [*_base_.train_view[:-1], stream, _base_.train_view[-1]]
test_view = [*_base_.test_view[:-1], stream, _base_.test_view[-1]]
train_dataloader = dict(
    dataset=dict(dataset=dict(pipeline=[*train_view, *_base_.pack]))
)
eval_dataloader = dict(dataset=dict(pipeline=[*test_view, *_base_.pack]))
bank_dataloader = dict(dataset=dict(pipeline=[*test_view, *_base_.pack]))
