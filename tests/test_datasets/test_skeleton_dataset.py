import logging
import pickle
import tracemalloc

import numpy as np
import pytest
from mmaction.datasets.transforms import PackActionInputs
from mmaction.registry import DATASETS
from mmengine.config import ConfigDict
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.skeleton_dataset import (
    parts_of,
    refuse_other_classes,
    shared_clips,
    unrepeated,
)


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmaction')


@pytest.fixture
def annotation():
    """Three clips of 1 person, 4 frames, 5 joints; 'c' has a single frame."""
    rng = np.random.default_rng(0)
    return dict(
        split=dict(train=['a', 'b'], val=['c'], none=[], ghost=['a', 'z']),
        annotations=[
            dict(
                frame_dir=name,
                label=label,
                keypoint=rng.normal(size=(1, frames, 5, 3)).astype(np.float32),
                total_frames=frames,
            )
            for label, (name, frames) in enumerate([('a', 4), ('b', 4), ('c', 1)])
        ],
        metainfo=dict(classes=['x', 'y', 'z'], layout='tiny'),
    )


@pytest.fixture
def build(annotation, tmp_path):
    """Builds a dataset on ``annotation`` as it is when called."""

    def build(split='train', **kwargs):
        path = tmp_path / 'data.pkl'
        with open(path, 'wb') as file:
            pickle.dump(annotation, file)
        return SkeletonDataset(str(path), pipeline=[], split=split, **kwargs)

    return build


def names(dataset):
    return [dataset.get_data_info(i)['frame_dir'] for i in range(len(dataset))]


def with_subjects(annotation, subjects):
    """Two clips of each subject in 'train'; the test clip is of another one."""
    (clip, *_, test) = annotation['annotations']
    clips = [
        dict(clip, frame_dir=f's{subject}_{i}', subject=subject)
        for subject in subjects
        for i in range(2)
    ]
    for prefix in ('', 'xsub_'):
        annotation['split'][f'{prefix}train'] = [c['frame_dir'] for c in clips]
    annotation['annotations'] = [*clips, dict(test, subject=99)]
    annotation['split'].pop('ghost')


@pytest.mark.parametrize('prefix', ['', 'xsub_'])
def test_every_fourth_subject_of_the_training_split_can_be_held_out(
    build, annotation, prefix
):
    with_subjects(annotation, [11, 3, 5, 7, 1, 9, 2, 8])  # 1 2 3 5 7 8 9 11
    held = names(build(f'{prefix}dev_val'))
    kept = names(build(f'{prefix}dev_train'))
    assert sorted(held) == ['s11_0', 's11_1', 's5_0', 's5_1']
    assert set(held) | set(kept) == set(annotation['split']['train'])
    assert not set(held) & set(kept)


@pytest.mark.parametrize(
    ('subjects', 'last'),
    [([40, 3, 33, 34], 40), (['d', 'c', 'b', 'a'], 'd'), ([4, 'b', 3, 'a'], 'b')],
)
def test_the_subject_held_out_does_not_hang_on_the_order_of_a_set(
    build, annotation, subjects, last
):
    with_subjects(annotation, subjects)
    assert names(build('dev_val')) == [f's{last}_0', f's{last}_1']


def test_holding_out_takes_four_subjects(build, annotation):
    with_subjects(annotation, [1, 2, 3])
    with pytest.raises(ValueError, match=r"'dev_val' holds out .* has \[1, 2, 3\]"):
        build('dev_val')
    del annotation['annotations'][0]['subject']
    with pytest.raises(ValueError, match=r"has clips without one: .* key 'subject'"):
        build('dev_val')


@pytest.mark.parametrize('split', ['val', 'train'])
def test_a_plain_split_is_not_cut_from_another(build, annotation, split):
    """Val was a part of train where a file had no val, and a test one of training."""
    annotation['split']['test'] = annotation['split'].pop(split)
    with pytest.raises(ValueError, match=f"no split '{split}'"):
        build(split)


def test_a_split_of_the_file_named_dev_comes_first(build, annotation):
    with_subjects(annotation, [1, 2, 3, 4])
    annotation['split']['dev_val'] = ['s1_0']
    assert names(build('dev_val')) == ['s1_0']


def test_split_is_loaded(build, annotation):
    dataset = build()
    assert names(dataset) == ['a', 'b']
    assert np.array_equal(
        dataset[1]['keypoint'], annotation['annotations'][1]['keypoint']
    )
    assert dataset[1]['label'] == 1 and dataset[1]['modality'] == 'Pose'


def test_no_split_takes_all(build):
    assert names(build(split=None)) == ['a', 'b', 'c']


JOINTS = ('hip_center', 'neck', 'head', 'left_hand', 'right_hand')
EDGES = [(1, 0), (2, 1), (3, 1), (4, 1)]


def test_the_joints_of_the_file_are_those_of_the_pipeline(annotation, tmp_path):
    """Another order of the same joints cost 60 points without a word."""
    layout = dict(name='mine', joints=JOINTS, edges=EDGES)
    path = str(tmp_path / 'data.pkl')
    pipeline = [dict(type='AlignSkeleton', layout=layout, rotate='none')]

    def built(joints, **kwargs):
        annotation['metainfo']['layout'] = dict(layout, name='other', joints=joints)
        save_annotation(annotation, path)
        return SkeletonDataset(path, pipeline, 'train', **kwargs)

    built(JOINTS)
    built(('root', *JOINTS[1:]))  # another word for the same
    swapped = (*JOINTS[:3], 'right_hand', 'left_hand')
    with pytest.raises(ValueError) as error:
        built(swapped)
    for part in (path, "'other'", "'mine'", 'joint 3', "'right_hand'", "'left_hand'"):
        assert part in str(error.value)
    built(swapped, metainfo=dict(layout=layout))
    pipeline.insert(
        0, dict(type='MapSkeleton', source=dict(layout, joints=swapped), target=layout)
    )
    built(swapped)


def test_each_transform_takes_the_joints_that_it_gets(annotation, tmp_path):
    layout = dict(name='mine', joints=JOINTS, edges=EDGES)
    swapped = dict(layout, name='other', joints=(*JOINTS[:3], *JOINTS[:2:-1]))
    annotation['metainfo']['layout'] = layout
    save_annotation(annotation, tmp_path / 'data.pkl')

    def built(*pipeline):
        SkeletonDataset(str(tmp_path / 'data.pkl'), list(pipeline), 'train')

    align, stream = (
        lambda layout: dict(type='AlignSkeleton', layout=layout, rotate='none'),
        lambda layout: dict(type='SkeletonStream', layout=layout, stream='bone'),
    )
    to_swapped = dict(type='MapSkeleton', source=layout, target=swapped)
    built(align(layout), to_swapped, align(swapped), stream(swapped))
    with pytest.raises(ValueError, match=r"the file gives .*'mine'.* SkeletonStream t"):
        built(align(layout), stream(swapped))
    with pytest.raises(ValueError, match=r"MapSkeleton gives .*'other'.* AlignSke"):
        built(align(layout), to_swapped, align(layout))
    with pytest.raises(ValueError, match=r"MapSkeleton gives .*'other'.* MapSkele"):
        built(to_swapped, to_swapped)


def test_metainfo_of_the_file_is_handed_over(build):
    assert build().metainfo['classes'] == ['x', 'y', 'z']
    assert build().metainfo['layout'] == 'tiny'
    assert build(metainfo=dict(layout='mine')).metainfo['layout'] == 'mine'


def test_single_frame_is_kept(build):
    assert build(split='val')[0]['keypoint'].shape == (1, 1, 5, 3)


def test_half_precision_is_accepted(build, annotation):
    sample = annotation['annotations'][0]
    sample['keypoint'] = sample['keypoint'].astype(np.float16)
    assert build()[0]['keypoint'].dtype == np.float16


def test_same_clips_as_the_stock_dataset(synthetic_ann_file):
    stock, own = (
        DATASETS.build(
            dict(type=kind, ann_file=synthetic_ann_file, pipeline=[], split='xsub_val')
        )
        for kind in ('PoseDataset', 'SkeletonDataset')
    )
    assert len(stock) == len(own) == 60
    for a, b in zip(stock, own, strict=True):
        assert a.keys() == b.keys()
        assert a['frame_dir'] == b['frame_dir']
        assert np.array_equal(a['keypoint'], b['keypoint'])


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'convert\.py synthetic'):
        SkeletonDataset(str(tmp_path / 'synthetic.pkl'), pipeline=[], split='xsub_val')


def test_unknown_split_lists_the_known(build):
    with pytest.raises(ValueError, match=r"no split 'test'.*'train', 'val'"):
        build(split='test')


def test_empty_split(build):
    with pytest.raises(ValueError, match=r"split 'none' is empty.*'train': 2"):
        build(split='none')


def test_split_names_a_clip_without_annotation(build):
    with pytest.raises(ValueError, match=r"'ghost' names clips .* annotation: z\."):
        build(split='ghost')


def test_two_clips_of_one_name(build, annotation):
    clips = annotation['annotations']
    clips.append(dict(clips[2], frame_dir='a'))  # a test clip would be trained on
    with pytest.raises(ValueError, match=r"1 clips of split 'train' have .*: a\. Give"):
        build()
    assert names(build('val')) == ['c']
    assert names(build(split=None)) == ['a', 'b', 'c', 'a']  # nothing to tell apart


def test_whoever_is_there_comes_first(build, annotation):
    clip = annotation['annotations'][0]
    one = clip['keypoint'][0]
    clip['keypoint'] = np.stack([one * 0, one, one * 0, one * 2])
    clip['keypoint_score'] = np.arange(4.0)[:, None, None].repeat(4, 1).repeat(5, 2)
    found = build().get_data_info(0)
    assert np.array_equal(found['keypoint'], np.stack([one, one * 2, one * 0, one * 0]))
    assert found['keypoint_score'][:, 0, 0].tolist() == [1, 3, 0, 2]


def test_an_empty_place_in_front_is_put_behind(build, annotation):
    clip = annotation['annotations'][0]
    one = clip['keypoint'][0]
    clip['keypoint'] = np.stack([one * 0, one])
    found = build().get_data_info(0)['keypoint']
    assert np.array_equal(found, np.stack([one, one * 0]))


def test_an_empty_place_in_the_middle_is_put_behind(build, annotation):
    clip = annotation['annotations'][0]
    one = clip['keypoint'][0]
    clip['keypoint'] = np.stack([one, one * 0, one * 2])
    found = build().get_data_info(0)['keypoint']
    assert np.array_equal(found, np.stack([one, one * 2, one * 0]))


def test_clips_of_two_and_of_three_coordinates(build, annotation):
    clip = annotation['annotations'][1]
    clip['keypoint'] = clip['keypoint'][..., :2]
    with pytest.raises(ValueError, match=r'clip b: 2 coordinates a joint.* has 3'):
        build()


def test_a_score_that_is_no_number(build, annotation):
    clip = annotation['annotations'][0]
    clip['keypoint_score'] = np.full((1, 4, 5), 0.5)
    clip['keypoint_score'][0, 1, 2] = np.nan
    clip['keypoint'][0, 3, 4, 0] = np.inf
    with pytest.raises(ValueError, match=r'1 clips have NaN or .* scores: a'):
        build()
    found = build(non_finite='zero').get_data_info(0)
    zero = found['keypoint_score'] == 0
    assert np.argwhere(zero[0]).tolist() == [[1, 2], [3, 4]]
    assert np.array_equal((found['keypoint'] == 0).all(-1), zero)


def test_clip_without_a_name(build, annotation):
    del annotation['annotations'][1]['frame_dir']
    with pytest.raises(ValueError, match=r"annotation 1 must .* 'frame_dir'"):
        build()


def test_clips_with_joints_in_files_of_their_own_get_a_hint(build, annotation):
    for sample in annotation['annotations']:
        del sample['keypoint']
    with pytest.raises(ValueError, match=r'data_prefix=dict\(skeleton=FOLDER\)'):
        build()


@pytest.mark.parametrize('key', ['keypoint', 'total_frames', 'label'])
def test_missing_key_names_the_clip(build, annotation, key):
    del annotation['annotations'][1][key]
    with pytest.raises(ValueError, match=f"clip b: the key '{key}' is missing"):
        build()


def test_wrong_joint_count_for_the_config(build):
    assert len(build(num_joints=5)) == 2
    with pytest.raises(ValueError, match=r'clip a: 5 joints, expected 25.*num_joints='):
        build(num_joints=25)


def test_clips_of_different_joint_counts(build, annotation):
    annotation['annotations'][1]['keypoint'] = np.ones((1, 4, 6, 3), np.float32)
    with pytest.raises(ValueError, match='clip b: 6 joints, expected 5'):
        build()


def test_missing_person_axis(build, annotation):
    sample = annotation['annotations'][0]
    sample['keypoint'] = sample['keypoint'][0]
    with pytest.raises(ValueError, match=r'clip a: .*\(4, 5, 3\).*keypoint\[None\]'):
        build()


@pytest.mark.parametrize('shape', [(4, 5), (1, 0, 5, 3), (0, 4, 5, 3)])
def test_wrong_shape(build, annotation, shape):
    annotation['annotations'][0]['keypoint'] = np.ones(shape, np.float32)
    with pytest.raises(ValueError, match='clip a: keypoint has the shape'):
        build()


@pytest.mark.parametrize('keypoint', [[[[0.0]]], np.ones((1, 4, 5, 3), int)])
def test_wrong_type(build, annotation, keypoint):
    annotation['annotations'][0]['keypoint'] = keypoint
    with pytest.raises(ValueError, match='clip a: keypoint must be a numpy array'):
        build()


@pytest.mark.parametrize('total', [3, 7])
def test_total_frames_must_be_those_of_the_clip(build, annotation, total):
    annotation['annotations'][1]['total_frames'] = total
    with pytest.raises(ValueError, match=rf'clip b: total_frames={total}, .* 4 frames'):
        build()


def test_total_frames_must_be_an_integer(build, annotation):
    annotation['annotations'][0]['total_frames'] = 4.0
    with pytest.raises(ValueError, match=r'clip a: total_frames=4\.0'):
        build()


@pytest.mark.parametrize('shape', [(4, 5), (1, 4, 6)])
def test_score_of_another_shape(build, annotation, shape):
    annotation['annotations'][1]['keypoint_score'] = np.ones(shape)
    with pytest.raises(ValueError, match=r'clip b: keypoint_score .*\(1, 4, 5\)'):
        build()


def test_largest_label_is_that_of_the_split(build, annotation):
    del annotation['metainfo']['classes']
    annotation['annotations'][1]['label'] = 7
    assert build().max_label == 7
    assert build(split='val').max_label == 2


@pytest.mark.parametrize('label', [-1, 'x', 1.0, None])
def test_wrong_label(build, annotation, label):
    annotation['annotations'][1]['label'] = label
    with pytest.raises(ValueError, match='clip b: label='):
        build()


def test_label_beyond_the_classes(build, annotation):
    annotation['annotations'][1]['label'] = 3
    with pytest.raises(ValueError, match=r'clip b: label=3.* 3 classes'):
        build()


def test_what_numpy_makes_of_labels_and_classes(build, annotation):
    for clip, label in zip(annotation['annotations'], np.arange(3), strict=True):
        clip.update(label=label, keypoint_score=None)
    annotation['metainfo']['classes'] = np.array(['x', 'y', 'z'])
    train, val = build(), build('val')
    refuse_other_classes(train, val)
    assert val.metainfo['classes'] == ['x', 'y', 'z']
    packed = PackActionInputs()(val[0] | dict(inputs=np.zeros(1)))
    assert packed['data_samples'].gt_label.tolist() == [2]
    assert 'keypoint_score' not in val[0]


def test_multi_class_labels(build, annotation):
    annotation['annotations'][1]['label'] = [0, 2]
    dataset = build(multi_class=True, num_classes=3)
    assert dataset.get_data_info(1)['label'].tolist() == [1, 0, 1]


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_non_finite_joints_are_an_error(build, annotation, value):
    annotation['annotations'][1]['keypoint'][0, 2, 3, 1] = value
    with pytest.raises(ValueError, match=r"1 clips .*: b\..*non_finite='zero'"):
        build()


def test_non_finite_joints_as_dropped_joints(build, annotation):
    keypoint = annotation['annotations'][1]['keypoint']
    before = keypoint.copy()
    keypoint[0, 2, 3, 1] = np.nan
    after = build(non_finite='zero')[1]['keypoint']
    assert (after[0, 2, 3] == 0).all()
    before[0, 2, 3] = 0
    assert np.array_equal(after, before)


def test_unknown_non_finite(build):
    with pytest.raises(ValueError, match="non_finite='drop'"):
        build(non_finite='drop')


def test_zero_clip_is_left_out_of_training_with_a_warning(build, annotation):
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    annotation['annotations'][0]['keypoint'][:] = 0
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        assert names(build()) == ['b']
        warned = [r.getMessage() for r in records if r.levelname == 'WARNING']
        assert len(warned) == 1 and '1 clips' in warned[0] and ': a.' in warned[0]
        assert names(build(test_mode=True)) == ['a', 'b']
    finally:
        logger.removeHandler(handler)


def test_a_zero_clip_with_a_file_name_is_left_out(build, annotation):
    for sample in annotation['annotations']:
        sample['filename'] = sample.pop('frame_dir')
    annotation['annotations'][0]['keypoint'][:] = 0
    dataset = build()
    assert [dataset.get_data_info(i)['filename'] for i in range(len(dataset))] == ['b']


def test_the_namesake_of_a_zero_clip_stays(build, annotation):
    first, second, _ = annotation['annotations']
    first['keypoint'][:] = 0
    second['frame_dir'] = first['frame_dir']
    assert names(build(split=None)) == ['a', 'c']


def test_only_zero_clips(build, annotation):
    for sample in annotation['annotations']:
        sample['keypoint'][:] = 0
    with pytest.raises(ValueError, match='no clip is left'):
        build()


def test_valid_ratio_of_the_stock_dataset(build, annotation):
    for sample, valid in zip(annotation['annotations'], (4, 1, 1), strict=True):
        sample['valid'] = {0.5: valid}
        sample['box_score'] = np.ones(sample['total_frames'])
    assert names(build(valid_ratio=0.5, box_thr=0.5)) == ['a']


def test_data_prefix_of_the_stock_dataset(build, annotation, tmp_path):
    assert names(build(data_prefix=dict(video='videos'))) == ['videos/a', 'videos/b']
    for sample in annotation['annotations']:
        content = dict(keypoint=sample.pop('keypoint'))
        with open(tmp_path / f'{sample["frame_dir"]}.pkl', 'wb') as file:
            pickle.dump(content, file)
    dataset = build(data_prefix=dict(skeleton=str(tmp_path)))
    assert dataset[0]['keypoint'].shape == (1, 4, 5, 3)


def test_file_of_save_annotation(annotation, tmp_path):
    save_annotation(annotation, tmp_path / 'a.pkl')
    assert len(SkeletonDataset(str(tmp_path / 'a.pkl'), [], split='train')) == 2


@pytest.fixture
def many(annotation):
    """100 clips of class 0, 30 of class 1 and 4 of class 2; gives their names."""
    clip = annotation['annotations'][0]
    labels = [0] * 100 + [1] * 30 + [2] * 4
    annotation['annotations'] = [
        dict(clip, frame_dir=str(i), label=label) for i, label in enumerate(labels)
    ]
    annotation['split'] = dict(train=[str(i) for i in range(len(labels))])
    return annotation['split']['train']


def count(dataset):
    labels = [dataset.get_data_info(i)['label'] for i in range(len(dataset))]
    return np.bincount(labels, minlength=3).tolist()


@pytest.mark.parametrize(
    'share, expected',
    [(0.1, [10, 3, 1]), (0.01, [1, 1, 1]), (0.29, [29, 9, 1]), (0.45, [45, 14, 2])],
)
def test_a_share_of_each_class_rounded_and_at_least_one(build, many, share, expected):
    assert count(build(label_share=share)) == expected


def test_no_class_is_drawn_as_zero_clips_only(build, many, annotation):
    before = names(build(label_share=0.5))
    for clip in annotation['annotations']:
        if clip['label'] == 2 and clip['frame_dir'] in before:  # two of four
            clip['keypoint'] = np.zeros_like(clip['keypoint'])
    after = [names(build(label_share=share)) for share in (0.1, 0.5, 0.75)]
    assert [sum(int(name) >= 130 for name in drawn) for drawn in after] == [1, 1, 1]
    assert set(after[0]) < set(after[1]) < set(after[2])
    assert [n for n in after[1] if int(n) < 130] == [n for n in before if int(n) < 130]
    test = names(build(label_share=0.5, test_mode=True))
    assert set(after[1]) < set(test) and len(test) == len(before)


@pytest.mark.parametrize('share, expected', [(0.1, 13), (0.01, 1), (0.5, 67)])
def test_a_plain_share_of_all_clips_rounded_down(build, many, share, expected):
    dataset = build(label_share=share, draw='plain', draw_seed=3)
    order = np.random.default_rng(3).permutation(134)
    assert names(dataset) == [str(i) for i in sorted(order[:expected])]


def test_a_plain_share_is_not_one_clip_short(build, many, annotation):
    assert int(0.29 * 100) == 28
    annotation['split']['train'] = many[:100]
    assert len(build(label_share=0.29, draw='plain')) == 29


@pytest.mark.parametrize('draw', ['stratified', 'plain'])
def test_a_share_of_one_keeps_everything_in_order(build, many, draw):
    assert names(build(label_share=1, draw=draw)) == many


@pytest.mark.parametrize('draw', ['stratified', 'plain'])
def test_the_draw_is_that_of_its_seed_alone(build, many, draw):
    def drawn(share, seed):
        return names(build(label_share=share, draw=draw, draw_seed=seed))

    np.random.seed(1)
    first = drawn(0.1, 0)
    state = np.random.get_state()[1].copy()
    np.random.seed(2)
    assert drawn(0.1, 0) == first
    assert drawn(0.1, 1) != first
    # A smaller share is a part of a larger one.
    assert set(first) < set(drawn(0.3, 0))
    # Nothing was drawn from the global generator.
    np.random.seed(1)
    assert np.array_equal(np.random.get_state()[1], state)


def test_the_same_clips_are_drawn_for_a_test(build, many):
    assert names(build(label_share=0.1)) == names(
        build(label_share=0.1, test_mode=True)
    )


@pytest.mark.parametrize('share', [0, -0.1, 1.1])
def test_label_share_out_of_range(build, share):
    with pytest.raises(ValueError, match=rf'label_share={share} must be in \(0, 1\]'):
        build(label_share=share)


def test_a_plain_share_of_nothing(build, many):
    with pytest.raises(ValueError, match=r'label_share=0.005 of 134 .*stratified'):
        build(label_share=0.005, draw='plain')


def test_unknown_draw(build):
    with pytest.raises(ValueError, match="draw='random' must be 'stratified'"):
        build(label_share=0.1, draw='random')


def test_classes_are_kept_with_their_labels(build, many):
    assert count(build(classes=[0, 2])) == [100, 0, 4]
    assert count(build(classes=[1, 2], label_share=0.1)) == [0, 3, 1]
    half = dict(label_share=0.5, draw='plain')  # of what is kept
    assert {len(build(classes=[1, 2], draw_seed=i, **half)) for i in range(5)} == {17}


def test_a_clip_is_not_compared_with_every_class(build, annotation):
    compared = []

    class Label(int):
        __hash__ = int.__hash__

        def __eq__(self, other):
            compared.append(self)
            return int(self) == other

    clip = annotation['annotations'][0]
    annotation['annotations'] = [
        dict(clip, frame_dir=str(label), label=label) for label in range(100)
    ]
    annotation['metainfo'] = {}
    classes = [Label(label) for label in range(50, 100)]
    assert names(build(None, classes=classes)) == [str(k) for k in range(50, 100)]
    assert len(compared) <= 300


def test_a_class_without_clips(build, many):
    with pytest.raises(ValueError, match=r'classes \[7\]. It has \[0, 1, 2\]'):
        build(classes=[0, 7])


def test_several_labels_a_clip_have_no_strata(build, annotation):
    for sample in annotation['annotations']:
        sample['label'] = [0, 2]
    several = dict(multi_class=True, num_classes=3)
    assert len(build(label_share=0.5, draw='plain', **several)) == 1
    with pytest.raises(ValueError, match="Set draw='plain'"):
        build(label_share=0.5, **several)
    with pytest.raises(ValueError, match='classes asks for one label'):
        build(classes=[0], **several)


def test_classes_can_be_balanced(build):
    balanced = dict(type='ClassBalancedDataset', oversample_thr=1.0)
    dataset = DATASETS.build(dict(balanced, dataset=build()))
    assert len(dataset) >= 2
    assert [build().get_cat_ids(index) for index in range(2)] == [[0], [1]]


@pytest.mark.parametrize(
    'wrap',
    [
        lambda one: RepeatDataset(one, 2),
        lambda one: ConcatDataset([one]),
        lambda one: RepeatDataset(dict(type='ConcatDataset', datasets=[one]), 2),
    ],
    ids=['repeated', 'joined', 'both'],
)
def test_known_clips_and_other_classes_are_seen_through_wrappers(build, wrap):
    train, test = build('train'), build('val')
    assert shared_clips(wrap(train), test) is None
    known = "2 of the 2 clips of split 'train' are in split 'train' too"
    for pair in ((wrap(train), train), (train, wrap(train))):
        assert known in shared_clips(*pair)
    other = build('val', metainfo=dict(classes=['u', 'v', 'w']))
    with pytest.raises(ValueError, match='Label 0 is'):
        refuse_other_classes(wrap(train), other)


def test_what_is_no_wrapper_is_a_part_itself(build):
    dataset = build()
    dataset.dataset, dataset.datasets = 'ward', ['a', 'b']
    assert parts_of(dataset) == [dataset]
    assert parts_of(RepeatDataset(dataset, 2)) == [dataset]
    config = ConfigDict(type='Mine', dataset='ward')
    assert unrepeated(ConfigDict(type='RepeatDataset', dataset=config)) == config
    assert parts_of(config) == [config]


def test_known_clips_are_seen_behind_another_spelling_of_the_path(
    build, tmp_path, monkeypatch
):
    train = build()
    monkeypatch.chdir(tmp_path)
    for path in ('data.pkl', './data.pkl'):
        again = SkeletonDataset(path, pipeline=[], split='train')
        assert '2 of the 2 clips' in shared_clips(train, again)


def test_clips_become_the_bytes_of_the_stock_dataset(build):
    dataset, stock = (build(serialize_data=False) for _ in range(2))
    stock = BaseDataset._serialize_data(stock)
    for found, expected in zip(dataset._serialize_data(), stock, strict=True):
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
        assert found.flags.writeable
    assert dataset.data_list == []


def test_clips_are_released_as_they_become_bytes(build, annotation):
    clip = annotation['annotations'][0]
    clip.update(keypoint=np.ones((1, 1000, 5, 3), np.float32), total_frames=1000)
    annotation['annotations'] = [dict(clip, frame_dir=str(i)) for i in range(50)]
    tracemalloc.start()
    try:
        dataset = build(None, serialize_data=False)
        tracemalloc.reset_peak()
        content, _ = dataset._serialize_data()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(content) > 50 * 60_000
    assert peak < 1.5 * len(content)
