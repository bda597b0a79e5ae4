"""NW-UCLA, UTD-MHAD, MSR-Action3D and SBU as one set in the joints of Kinect v1.

Their training splits (of SBU that of fold 1), clips of 32 frames, up to two persons.
Loaders, crop and rotation are those of NW-UCLA. Made of the converted sets by

    python tools/data/pool.py data/pooled.pkl --layout kinect_v1 \
        data/nw_ucla.pkl:xview_train data/utd_mhad.pkl:xsub_train \
        data/msr_action3d.pkl:xsub_train data/sbu.pkl:fold1_train
"""

_base_ = './nw_ucla_small.py'

crop = dict(_base_.train_view[1], min_frames=8)
format_input = dict(type='FormatGCNInput', num_person=2)
train_view = [_base_.train_view[0], crop, _base_.train_view[2], format_input]
test_view = [*_base_.test_view[:2], format_input]
num_classes = 65
source = dict(ann_file='data/pooled.pkl', split='pool_train')
# As many steps an epoch as ten passes over NW-UCLA, nearly.
train_dataloader = dict(
    dataset=dict(times=5, dataset=dict(**source, pipeline=[*train_view, *_base_.pack]))
)
# To look at clips: encoders are tested on the sets themselves.
eval_dataloader = dict(dataset=dict(**source, pipeline=[*test_view, *_base_.pack]))
bank_dataloader = eval_dataloader
