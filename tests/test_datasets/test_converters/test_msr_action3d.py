import re
import tarfile
from collections import Counter

import numpy as np
import pytest
from scipy.io import loadmat

from fdmae_mm.datasets.converters import BadFileError, MSRAction3DConverter, convert
from fdmae_mm.datasets.layouts import get_layout

LAYOUT = get_layout(MSRAction3DConverter.layout)


def pair(joint):
    """The left and the right one."""
    return [LAYOUT.joints.index(f'{side}_{joint}') for side in ('left', 'right')]


def text(frames=2):
    """Lines "x y z confidence", with a confidence that no coordinate equals."""
    joints = np.arange(frames * 60).reshape(-1, 3) / 100
    return ''.join(f'{x:.6f} {y:.6f} {z:.6f} 99.000000\n' for x, y, z in joints)


@pytest.fixture
def folder(tmp_path):
    for frames, name in enumerate(('a01_s01_e01', 'a02_s02_e03', 'a20_s10_e02'), 1):
        (tmp_path / f'{name}_skeleton3D.txt').write_text(text(frames))
    # Screen coordinates, and a list of names.
    (tmp_path / 'a03_s01_e01_skeleton.txt').write_text(text())
    (tmp_path / 'files_used_in_cvpr12_paper.txt').write_text('a01_s01_e01\n')
    return tmp_path


def test_a_file_becomes_an_annotation(folder):
    annotation, skipped = convert(MSRAction3DConverter(), folder)
    assert not skipped
    names = [a['frame_dir'] for a in annotation['annotations']]
    assert names == ['a01_s01_e01', 'a02_s02_e03', 'a20_s10_e02']
    sample = annotation['annotations'][2]
    expected = np.arange(180).reshape(1, 3, 20, 3) / 100
    assert sample['keypoint'].dtype == np.float32
    assert sample['keypoint'].shape == expected.shape
    assert np.allclose(sample['keypoint'], expected)
    assert (sample['total_frames'], sample['label'], sample['subject']) == (3, 19, 10)
    assert annotation['metainfo']['classes'][19] == 'pick up and throw'


def test_splits(folder):
    for name in ('a06_s03_e01', 'a14_s04_e01'):
        (folder / f'{name}_skeleton3D.txt').write_text(text())
    annotation, _ = convert(MSRAction3DConverter(), folder)
    assert annotation['split'] == dict(
        xsub_train=['a01_s01_e01', 'a06_s03_e01'],
        xsub_val=['a02_s02_e03', 'a14_s04_e01', 'a20_s10_e02'],
        as1_train=['a06_s03_e01'],
        as1_val=['a02_s02_e03', 'a20_s10_e02'],
        as2_train=['a01_s01_e01'],
        as2_val=['a14_s04_e01'],
        as3_train=['a06_s03_e01'],
        as3_val=['a14_s04_e01', 'a20_s10_e02'],
    )


def test_lost_frames_stay_zeros(folder):
    zeros = '0.000000 0.000000 0.000000 0.000000\r\n' * 20
    path = folder / 'a13_s09_e02_skeleton3D.txt'
    path.write_bytes(f'{zeros}\r\n{text(1)}\n{zeros}'.encode())
    annotation, skipped = convert(MSRAction3DConverter(), folder)
    assert not skipped
    sample = annotation['annotations'][2]
    assert sample['frame_dir'] == 'a13_s09_e02'
    present = sample['keypoint'][0].any(axis=(1, 2))
    assert present.tolist() == [False, True, False]


BAD = {
    'no frames': '\n \n',
    'could not convert string': text().replace('99.000000', 'x', 1),
    'number of columns changed': text() + '1 2 3\n',
    '41 lines of 4 values': text() + '1 2 3 4\n',
    '20 lines of 3 values': '1 2 3\n' * 20,
    '1 joints are NaN': text().replace('0.010000', 'inf', 1),
}


@pytest.mark.parametrize(('reason', 'content'), BAD.items(), ids=range(len(BAD)))
def test_bad_file_is_listed_and_left_out(folder, reason, content):
    (folder / 'a05_s05_e01_skeleton3D.txt').write_text(content)
    annotation, skipped = convert(MSRAction3DConverter(), folder)
    assert len(annotation['annotations']) == 3
    ((name, found),) = skipped
    assert name == 'a05_s05_e01_skeleton3D.txt'
    assert reason in found


@pytest.mark.parametrize('action', ['00', '21'])
def test_action_that_the_set_does_not_have(folder, action):
    (folder / f'a{action}_s01_e01_skeleton3D.txt').write_text(text())
    with pytest.raises(BadFileError, match=f'the set has no action {action}'):
        convert(MSRAction3DConverter(), folder, strict=True)


def test_subsets_are_those_of_the_paper():
    clips = [dict(frame_dir=f'{i}', label=i - 1, subject=1) for i in range(1, 21)]
    split = MSRAction3DConverter().split(clips)
    assert {
        name: ' '.join(split[f'{name}_train']) for name in ('as1', 'as2', 'as3')
    } == dict(
        as1='2 3 5 6 10 13 18 20',
        as2='1 4 7 8 9 11 12 14',
        as3='6 14 15 16 17 18 19 20',
    )


@pytest.fixture(scope='module')
def real(real_annotation):
    return real_annotation('msr_action3d')


def test_real_set_is_complete(real, real_archive):
    samples, split = real['annotations'], real['split']
    with tarfile.open(real_archive('msr_action3d')) as archive:
        names = ' '.join(archive.getnames())
    found = re.findall(r'a(\d+)_s(\d+)_e(\d+)_skeleton3D', names)
    assert len(samples) == len(found) == 567
    for key, column in (('label', 0), ('subject', 1)):
        assert Counter(a[key] + (key == 'label') for a in samples) == Counter(
            int(name[column]) for name in found
        )
    assert {name: len(names) for name, names in split.items()} == dict(
        xsub_train=292,
        xsub_val=275,
        as1_train=120,
        as1_val=106,
        as2_train=118,
        as2_val=113,
        as3_train=114,
        as3_val=112,
    )
    frames = [a['total_frames'] for a in samples]
    assert (min(frames), np.median(frames), max(frames)) == (13, 39, 936)


def test_real_subsets_are_those_of_the_owners(real, real_archive):
    with tarfile.open(real_archive('msr_action3d')) as archive:
        sets = loadmat(archive.extractfile('msr_action3d/tr_te_splits.mat'))
    for number, actions in enumerate(sets['action_sets'][0], 1):
        found = real['split'][f'as{number}_train'] + real['split'][f'as{number}_val']
        assert {int(name[1:3]) for name in found} == set(actions.ravel())


def test_real_lost_frames(real):
    lost = {
        a['frame_dir']: 1 - a['keypoint'][0].any(axis=(1, 2)).mean()
        for a in real['annotations']
    }
    assert sum(share > 0 for share in lost.values()) == 20
    assert [name for name, share in lost.items() if share == 1] == ['a13_s09_e02']


def test_real_axes(real):
    bodies = np.concatenate([a['keypoint'][0] for a in real['annotations']])
    mean = bodies[bodies.any(axis=(1, 2))].mean(axis=0)
    feet, head = mean[pair('foot')], mean[LAYOUT.joints.index('head')]
    assert head[1] - feet[:, 1].max() > 1.4
    # Feet point to the camera, and persons stand two to four metres away from it.
    assert (feet[:, 2] < mean[pair('ankle'), 2] - 0.1).all()
    assert 2 < head[2] < 4
    for left, right in LAYOUT.left_right:
        assert mean[left, 0] < mean[right, 0]


@pytest.mark.parametrize(
    ('end', 'root', 'actions'),
    [('wrist', 'shoulder', range(1, 10)), ('foot', 'hip', (14, 15))],
    ids=['arm', 'leg'],
)
def test_real_actions_of_one_side_move_the_right_one(real, end, root, actions):
    moved = {}
    for sample in real['annotations']:
        body = sample['keypoint'][0]
        body = body[body.any(axis=(1, 2))]
        if sample['label'] + 1 in actions:
            limbs = body[:, pair(end)] - body[:, pair(root)]
            left, right = np.abs(np.diff(limbs, axis=0)).sum(axis=(0, 2))
            moved.setdefault(sample['subject'], []).append(right / (left + right))
    assert moved.keys() == set(range(1, 11))
    assert all(np.mean(shares) > 0.5 for shares in moved.values())
