import re
import tarfile
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from fdmae_mm.datasets.converters import (
    BadFileError,
    SBUConverter,
    convert,
    summarize,
)
from fdmae_mm.datasets.layouts import get_layout

# As published: numbers of the pairs in sorted order.
PAIRS = (
    's01s02 s01s03 s01s07 s02s01 s02s03 s02s06 s02s07 s03s02 s03s04 s03s05 s03s06 '
    's04s02 s04s03 s04s06 s05s02 s05s03 s06s02 s06s03 s06s04 s07s01 s07s03'
).split()
FOLDS = (
    (1, 9, 15, 19),
    (5, 7, 10, 16),
    (2, 3, 20, 21),
    (4, 6, 8, 11),
    (12, 13, 14, 17, 18),
)


def line(frame, first=(0.5, 0.5, 2.0), second=(0.25, 0.75, 1.5)):
    """Every joint of a person at one normalised point."""
    return ','.join(map(str, (frame, *first * 15, *second * 15)))


@pytest.fixture
def write(tmp_path):
    def write(path, text):
        file = tmp_path / path / 'skeleton_pos.txt'
        file.parent.mkdir(parents=True)
        file.write_bytes(text.encode())
        return tmp_path

    return write


def test_a_file_becomes_metres_of_two_persons(write):
    folder = write('s01s02/05/001', f'{line(1)}\n{line(2, first=(0, 0, 0.5))}\n')
    annotation, skipped = convert(SBUConverter(), folder)
    assert not skipped
    (sample,) = annotation['annotations']
    assert sample['frame_dir'] == 's01s02_05_001'
    assert annotation['metainfo']['classes'][sample['label']] == 'shake hands'
    assert sample['total_frames'] == 2
    assert sample['keypoint'].shape == (2, 2, 15, 3)
    assert sample['keypoint'].dtype == np.float32
    expected = [
        [(0, 0, 2.56), (1.28, 0.96, 0.64)],
        [(0.64, -0.48, 1.92), (0.64, -0.48, 1.92)],
    ]
    assert np.allclose(sample['keypoint'], np.array(expected)[:, :, None], atol=1e-6)


def test_summary_tells_the_pairs_which_are_what_is_known_of_subjects(write):
    for path in ('s01s02/01/001', 's01s02/01/002', 's02s01/01/001'):
        folder = write(path, line(1))
    text = summarize(*convert(SBUConverter(), folder))
    assert 'pairs:     2\n' in text
    assert 'subjects' not in text


def test_joints_keep_their_order(write):
    values = np.arange(90) / 100
    folder = write('s01s02/01/001', ','.join(map(str, (7, *values))))
    annotation, _ = convert(SBUConverter(), folder)
    x = annotation['annotations'][0]['keypoint'][:, 0, :, 0]
    assert np.allclose((1.28 - x) / 2.56, values.reshape(2, 15, 3)[..., 0], atol=1e-6)


def test_commas_blank_lines_line_ends_and_frame_numbers_do_not_matter(write):
    text = '\r\n'.join((f'{line(180)},', '', f'{line(181)} , ', '  ', ',', ''))
    folder = write('s07s03/08/003', text)
    annotation, skipped = convert(SBUConverter(), folder)
    assert not skipped
    (sample,) = annotation['annotations']
    assert sample['total_frames'] == 2
    assert np.allclose(sample['keypoint'][0, :, :, 2], 2.56)


BAD = {
    'no frames': '\n ,\n',
    'could not convert string': line(1).replace('0.25', 'x'),
    'number of columns changed': f'{line(1)}\n1,2,3',
    'lines have 46 values, expected 91': ','.join(['1'] * 46),
    'lines have 90 values': line(1).rpartition(',')[0] + ',',
    '1 joints are NaN': line(1).replace('2.0', 'nan', 1),
}


@pytest.mark.parametrize(('reason', 'text'), BAD.items(), ids=range(len(BAD)))
def test_bad_file_is_listed_and_left_out(write, reason, text):
    write('s01s02/01/001', line(1))
    folder = write('s01s02/01/002', text)
    annotation, skipped = convert(SBUConverter(), folder)
    assert [a['frame_dir'] for a in annotation['annotations']] == ['s01s02_01_001']
    ((name, found),) = skipped
    assert name == 's01s02/01/002/skeleton_pos.txt'
    assert reason in found


@pytest.mark.parametrize(
    ('path', 'reason'),
    [
        ('s01s02/09/001', 'the set has no action 09'),
        ('s01s02/00/001', 'the set has no action 00'),
        ('s01s04/01/001', 'the set has no pair s01s04'),
    ],
)
def test_path_that_the_set_does_not_have(write, path, reason):
    with pytest.raises(BadFileError, match=reason):
        convert(SBUConverter(), write(path, line(1)), strict=True)


def test_folders_must_say_what_a_file_is(write):
    folder = write('s01s02/01/001', line(1))
    with pytest.raises(ValueError, match='holds no files sXXsYY/CC/NNN/skeleton_pos'):
        convert(SBUConverter(), folder / 's01s02')


def test_folds_are_the_published_ones():
    split = SBUConverter().split([dict(frame_dir=pair, pair=pair) for pair in PAIRS])
    assert len(split) == 10
    for number, fold in enumerate(FOLDS, 1):
        held_out = [PAIRS[i - 1] for i in fold]
        assert split[f'fold{number}_val'] == held_out
        assert sorted(split[f'fold{number}_train'] + held_out) == PAIRS


@pytest.fixture(scope='module')
def real(real_annotation):
    return real_annotation('sbu')


@pytest.fixture(scope='module')
def bodies(real):
    """Skeletons (2, T, 15, 3) of the real set by class name."""
    classes = real['metainfo']['classes']
    return {
        name: [
            a['keypoint'] for a in real['annotations'] if classes[a['label']] == name
        ]
        for name in classes
    }


def test_real_set_is_complete(real, real_archive):
    samples = real['annotations']
    with tarfile.open(real_archive('sbu')) as archive:
        found = re.findall(r'(s\d+s\d+)/(\d+)/(\d+)/skel', ' '.join(archive.getnames()))
    assert len(samples) == len(found) == 282
    assert {a['frame_dir'] for a in samples} == {'_'.join(name) for name in found}
    assert Counter(a['pair'] for a in samples) == Counter(name[0] for name in found)
    count = Counter(a['label'] for a in samples)
    assert [count[label] for label in range(8)] == [42, 43, 40, 41, 18, 21, 39, 38]
    frames = [a['total_frames'] for a in samples]
    assert (min(frames), np.median(frames), max(frames)) == (10, 23, 46)


def test_real_folds_are_the_published_ones(real):
    split = real['split']
    every = {a['frame_dir'] for a in real['annotations']}
    assert len(split) == 10
    for number, fold in enumerate(FOLDS, 1):
        train, val = (split[f'fold{number}_{part}'] for part in ('train', 'val'))
        assert {name[:6] for name in val} == {PAIRS[i - 1] for i in fold}
        assert sorted(train + val) == sorted(every)
    assert [len(split[f'fold{i}_val']) for i in range(1, 6)] == [55, 52, 56, 54, 65]


def test_real_bodies_agree_with_axes_and_layout(bodies):
    layout = get_layout(SBUConverter.layout)
    clips = [clip for clips in bodies.values() for clip in clips]
    mean = np.concatenate(clips, axis=1).mean(axis=1)  # (2, 15, 3)
    height = dict(zip(layout.joints, mean[..., 1].T, strict=True))
    order = ('head', 'neck', 'torso', 'left_hip', 'left_knee', 'left_foot')
    for upper, lower in pairwise(order):
        assert (height[upper] > height[lower]).all()
    assert (height['head'] - height['right_foot'] > 1.3).all()
    assert all((clip[..., 2] > 0.9).all() for clip in clips)
    # Who faces the other has the right side where up x right points to the other.
    right, left = layout.shoulders
    facing = []
    for clip in clips:
        forward = np.cross((0, 1, 0), clip[:, :, right] - clip[:, :, left])
        to_other = clip[::-1, :, layout.center] - clip[:, :, layout.center]
        facing.append((forward * to_other).sum(-1).mean() > 0)
    assert np.mean(facing) > 0.9


def hands(clip):
    layout = get_layout(SBUConverter.layout)
    return clip[:, :, [layout.joints.index(f'{s}_hand') for s in ('left', 'right')]]


def test_real_handshakes_are_of_right_hands(bodies):
    nearest = []
    for clip in bodies['shake hands']:
        first, second = hands(clip)
        gap = np.linalg.norm(first[:, :, None] - second[:, None], axis=-1).min(axis=0)
        nearest.append(np.unravel_index(gap.argmin(), gap.shape))
    count = Counter((int(a), int(b)) for a, b in nearest)
    assert count[1, 1] > 0.8 * len(nearest)
    assert count[0, 0] == 0


def test_real_classes_have_the_right_names(bodies):
    def median(measure):
        return {name: np.median([measure(c) for c in bodies[name]]) for name in bodies}

    def apart(clip):
        return np.linalg.norm(clip[0, :, 2] - clip[1, :, 2], axis=-1)

    def hands_apart(clip):
        first, second = hands(clip)
        return np.linalg.norm(first[:, :, None] - second[:, None], axis=-1).min()

    def foot_lift(clip):
        foot = clip[:, :, [11, 14], 1]
        return (foot.max(axis=(1, 2)) - np.median(foot, axis=(1, 2))).max()

    def right_hand_share(clip):
        path = np.abs(np.diff(hands(clip) - clip[:, :, 2:3], axis=1)).sum(axis=(1, 3))
        path = path[path.sum(axis=1).argmax()]  # of the more active person
        return path[1] / path.sum()

    approach = median(lambda clip: apart(clip)[-1] - apart(clip)[0])
    assert min(approach, key=approach.get) == 'approach'
    assert max(approach, key=approach.get) == 'depart'
    nearest = median(lambda clip: apart(clip).min())
    assert min(nearest, key=nearest.get) == 'hug'
    joined = median(hands_apart)
    assert min(joined, key=joined.get) == 'shake hands'
    lift = median(foot_lift)
    assert max(lift, key=lift.get) == 'kick'
    # Of what is left: objects change hands at a distance, a push is of both hands.
    assert nearest['exchange objects'] > max(nearest['push'], nearest['punch'])
    share = median(right_hand_share)
    assert share['punch'] > 0.6 > share['push']


def test_summary_tells_the_size_of_a_body_by_its_measured_joints():
    """Units and axes are what a pipeline cannot see."""
    keypoint = np.zeros((2, 3, 4, 3), np.float32)
    keypoint[1] = 9  # another person
    keypoint[0, 1, 1:] = [
        (0, 1, 3),
        (0.5, 2.5, 3),
        (0.25, 2, 3.25),
    ]  # one joint missing
    sample = dict(frame_dir='a', label=0, keypoint=keypoint, total_frames=3)
    tall = dict(sample, keypoint=2 * keypoint)
    annotation = dict(
        split={}, annotations=[sample, sample, tall], metainfo=dict(classes=['a'])
    )
    assert 'body:      0.50 x 1.50 x 0.25 (x, y, z of' in summarize(annotation, [])
