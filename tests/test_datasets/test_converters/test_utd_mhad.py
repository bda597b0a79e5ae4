import re
import tarfile
from collections import Counter

import numpy as np
import pytest
from scipy.io import savemat

from fdmae_mm.datasets.converters import BadFileError, UTDMHADConverter, convert
from fdmae_mm.datasets.layouts import get_layout

LAYOUT = get_layout(UTDMHADConverter.layout)


def pair(joint):
    """The left and the right one."""
    return [LAYOUT.joints.index(f'{side}_{joint}') for side in ('left', 'right')]


def skeleton(frames=3):
    return np.random.default_rng(frames).normal(size=(20, 3, frames))


@pytest.fixture
def folder(tmp_path):
    for frames, name in enumerate(('a1_s1_t1', 'a27_s8_t4', 'a10_s3_t2'), 3):
        savemat(tmp_path / f'{name}_skeleton.mat', dict(d_skel=skeleton(frames)))
    return tmp_path


def test_a_file_becomes_an_annotation(folder):
    annotation, skipped = convert(UTDMHADConverter(), folder)
    assert not skipped
    samples = {a['frame_dir']: a for a in annotation['annotations']}
    assert list(samples) == ['a10_s3_t2', 'a1_s1_t1', 'a27_s8_t4']
    sample = samples['a27_s8_t4']
    assert sample['keypoint'].dtype == np.float32
    assert sample['keypoint'].shape == (1, 4, 20, 3)
    assert np.allclose(sample['keypoint'][0, 2, 5], skeleton(4)[5, :, 2])
    assert (sample['total_frames'], sample['label'], sample['subject']) == (4, 26, 8)
    classes = annotation['metainfo']['classes']
    assert (len(classes), classes[26], classes[9]) == (
        27,
        'squat',
        'draw circle counter clockwise',
    )


def test_compressed_file(folder):
    savemat(
        folder / 'a2_s2_t1_skeleton.mat', dict(d_skel=skeleton(6)), do_compression=True
    )
    annotation, skipped = convert(UTDMHADConverter(), folder)
    assert not skipped
    assert 6 in [a['total_frames'] for a in annotation['annotations']]


def test_cross_subject_split(folder):
    for name in ('a2_s2_t1', 'a3_s7_t1'):
        savemat(folder / f'{name}_skeleton.mat', dict(d_skel=skeleton()))
    annotation, _ = convert(UTDMHADConverter(), folder)
    assert annotation['split'] == dict(
        xsub_train=['a10_s3_t2', 'a1_s1_t1', 'a3_s7_t1'],
        xsub_val=['a27_s8_t4', 'a2_s2_t1'],
    )


BAD = {
    "no 'd_skel'": dict(other=skeleton()),
    r'shape \(20, 3\), expected': dict(d_skel=skeleton()[:, :, 0]),
    r'shape \(25, 3, 3\)': dict(d_skel=np.ones((25, 3, 3))),
    'd_skel is object': dict(d_skel=np.full((20, 3, 2), '', dtype=object)),
    'd_skel is complex128': dict(d_skel=skeleton() * 1j),
    '3 joints are NaN or inf': dict(
        d_skel=np.where(np.arange(180).reshape(20, 3, 3) < 3, np.nan, skeleton())
    ),
}


@pytest.mark.parametrize(('reason', 'content'), BAD.items(), ids=range(len(BAD)))
def test_bad_content_is_listed_and_left_out(folder, reason, content):
    savemat(folder / 'a2_s2_t1_skeleton.mat', content)
    annotation, skipped = convert(UTDMHADConverter(), folder)
    assert len(annotation['annotations']) == 3
    ((name, found),) = skipped
    assert name == 'a2_s2_t1_skeleton.mat'
    assert re.search(reason, found)


DAMAGE = {
    'empty': lambda raw: b'',
    'text': lambda raw: b'head 0.1 0.2 0.3\n' * 50,
    'pickle': lambda raw: b'\x80\x04K\x01.' * 50,
    'cut in the header': lambda raw: raw[:60],
    'cut in the data': lambda raw: raw[:300],
    'MATLAB 7.3': lambda raw: raw[:124] + b'\x00\x02IM' + raw[128:],
    'wrong type': lambda raw: raw[:128] + b'\xff' * 8 + raw[136:],
}


@pytest.mark.parametrize('damage', DAMAGE.values(), ids=DAMAGE)
def test_damaged_file_is_listed_and_left_out(folder, damage):
    raw = (folder / 'a1_s1_t1_skeleton.mat').read_bytes()
    (folder / 'a2_s2_t1_skeleton.mat').write_bytes(damage(raw))
    annotation, skipped = convert(UTDMHADConverter(), folder)
    assert len(annotation['annotations']) == 3
    ((name, found),) = skipped
    assert name == 'a2_s2_t1_skeleton.mat'
    assert found.startswith('no readable MATLAB 5 file: ')


@pytest.mark.parametrize('action', [0, 28])
def test_action_that_the_set_does_not_have(folder, action):
    savemat(folder / f'a{action}_s1_t1_skeleton.mat', dict(d_skel=skeleton()))
    with pytest.raises(BadFileError, match=f'the set has no action {action}'):
        convert(UTDMHADConverter(), folder, strict=True)


@pytest.fixture(scope='module')
def real(real_annotation):
    return real_annotation('utd_mhad')


def test_real_set_is_complete(real, real_archive):
    samples, split = real['annotations'], real['split']
    with tarfile.open(real_archive('utd_mhad')) as archive:
        found = re.findall(r'a(\d+)_s(\d+)_t(\d)_skel', ' '.join(archive.getnames()))
    assert len(samples) == len(found) == 861
    for key, column in (('label', 0), ('subject', 1)):
        assert Counter(a[key] + (key == 'label') for a in samples) == Counter(
            int(name[column]) for name in found
        )
    # Eight subjects do all four times, less three recordings that were lost.
    every = {
        f'a{a}_s{s}_t{t}'
        for a in range(1, 28)
        for s in range(1, 9)
        for t in range(1, 5)
    }
    lost = {'a8_s1_t4', 'a23_s6_t4', 'a27_s8_t4'}
    assert {a['frame_dir'] for a in samples} == every - lost
    assert {name: len(names) for name, names in split.items()} == dict(
        xsub_train=431, xsub_val=430
    )
    assert {name.split('_')[1] for name in split['xsub_train']} == {
        's1',
        's3',
        's5',
        's7',
    }
    frames = [a['total_frames'] for a in samples]
    assert (min(frames), np.median(frames), max(frames)) == (41, 67, 125)


def test_real_axes(real):
    mean = np.concatenate([a['keypoint'][0] for a in real['annotations']]).mean(axis=0)
    feet = mean[pair('foot')]
    assert mean[LAYOUT.joints.index('head'), 1] - feet[:, 1].max() > 1.4
    # Feet point to the camera, and persons stand two to four metres away from it.
    assert (feet[:, 2] < mean[pair('ankle'), 2] - 0.02).all()
    assert all(1.5 < a['keypoint'][..., 2].min() for a in real['annotations'])
    for left, right in LAYOUT.left_right:
        assert mean[left, 0] < mean[right, 0]


def test_real_right_arm_actions_move_the_right_arm(real):
    one_armed = ('right arm', 'right hand', 'draw')
    classes, moved = real['metainfo']['classes'], {}
    for sample in real['annotations']:
        if not classes[sample['label']].startswith(one_armed):
            continue
        body = sample['keypoint'][0]
        arms = body[:, pair('wrist')] - body[:, pair('shoulder')]
        left, right = np.abs(np.diff(arms, axis=0)).sum(axis=(0, 2))
        moved.setdefault(sample['subject'], []).append(right / (left + right))
    assert moved.keys() == set(range(1, 9))
    for shares in moved.values():
        assert min(shares) > 0.5
        assert np.mean(shares) > 0.85
