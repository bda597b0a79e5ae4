"""Several sets as one file in one layout."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import load_annotation, save_annotation
from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.datasets.pooling import pool

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path):
    """Writes a set of three clips: a and b train, c tests."""

    def make(name, layout, **extra):
        joints = get_layout(layout).num_joints
        rng = np.random.default_rng(len(name))
        clips = [
            dict(
                frame_dir=clip,
                label=label,
                keypoint=rng.normal(size=(1, 4, joints, 3)).astype(np.float32),
                total_frames=4,
                **extra,
            )
            for label, clip in enumerate('abc')
        ]
        path = tmp_path / f'{name}.pkl'
        save_annotation(
            dict(
                split=dict(xsub_train=['a', 'b'], xsub_val=['c']),
                annotations=clips,
                metainfo=dict(layout=layout, classes=['x', 'y', 'z']),
            ),
            path,
        )
        return path

    return make


def test_joints_go_to_the_place_of_their_name(make):
    one, two = make('one', 'kinect_v1'), make('two', 'kinect_v1_utd_mhad')
    pooled = pool([(one, 'xsub_train'), (two, 'xsub_train')], 'kinect_v1')
    names = ['one/a', 'one/b', 'two/a', 'two/b']
    assert pooled['split'] == dict(pool_train=names)
    assert [a['frame_dir'] for a in pooled['annotations']] == names
    source, target = get_layout('kinect_v1_utd_mhad'), get_layout('kinect_v1')
    before = load_annotation(two)['annotations'][1]['keypoint']
    after = pooled['annotations'][3]['keypoint']
    head = before[:, :, source.joints.index('head')]
    assert np.array_equal(after[:, :, target.joints.index('head')], head)
    first = load_annotation(one)['annotations'][0]['keypoint']
    assert np.array_equal(pooled['annotations'][0]['keypoint'], first)


def test_classes_and_subjects_of_two_sets_stay_apart(make):
    files = [make('one', 'kinect_v1', subject=3), make('two', 'sbu')]
    pooled = pool([(file, 'xsub_train') for file in files], 'kinect_v1')
    assert [a['label'] for a in pooled['annotations']] == [0, 1, 3, 4]
    classes = [f'{name}: {c}' for name in ('one', 'two') for c in 'xyz']
    assert pooled['metainfo']['classes'] == classes
    sources = 'one.pkl xsub_train, two.pkl xsub_train'
    assert pooled['metainfo']['source'] == sources
    found = [a.get('subject') for a in pooled['annotations']]
    assert found == ['one/3', 'one/3', None, None]
    assert pooled['metainfo']['layout'] == 'kinect_v1'
    assert {a['keypoint'].shape for a in pooled['annotations']} == {(1, 4, 20, 3)}


def test_classes_without_names_are_counted_by_their_labels(make):
    files = [make('one', 'kinect_v1'), make('two', 'kinect_v1')]
    annotation = load_annotation(files[0])
    del annotation['metainfo']['classes']
    annotation['annotations'][1]['label'] = 2
    save_annotation(annotation, files[0])
    pooled = pool([(file, 'xsub_train') for file in files], 'kinect_v1')
    assert [a['label'] for a in pooled['annotations']] == [0, 2, 3, 4]
    names = ['one: 0', 'one: 1', 'one: 2', 'two: x', 'two: y', 'two: z']
    assert pooled['metainfo']['classes'] == names


def test_files_of_the_same_name_are_refused(make, tmp_path):
    one = make('one', 'kinect_v1')
    with pytest.raises(ValueError, match='must have different names'):
        pool([(one, 'xsub_train'), (one, 'xsub_val')], 'kinect_v1')


def test_a_file_without_a_layout_is_refused(make, tmp_path):
    path = make('one', 'kinect_v1')
    annotation = load_annotation(path)
    del annotation['metainfo']['layout']
    save_annotation(annotation, path)
    with pytest.raises(ValueError, match=r'one\.pkl has no layout in its metainfo'):
        pool([(path, 'xsub_train')], 'kinect_v1')


def test_numbers_of_coordinates_must_agree(make):
    one, two = make('one', 'kinect_v1'), make('two', 'kinect_v1')
    flat = load_annotation(two)
    for clip in flat['annotations']:
        clip['keypoint'] = clip['keypoint'][..., :2]
    save_annotation(flat, two)
    with pytest.raises(ValueError, match=r"numbers of coordinates: .*one.pkl': 3, .*2"):
        pool([(one, 'xsub_train'), (two, 'xsub_train')], 'kinect_v1')


def test_all_clips_have_scores_or_none_has(make):
    one = make('one', 'kinect_v1', keypoint_score=np.ones((1, 4, 20), np.float32))
    two = make('two', 'kinect_v1')
    with pytest.raises(ValueError, match=r'one\.pkl have keypoint_score .*two\.pkl ha'):
        pool([(one, 'xsub_train'), (two, 'xsub_train')], 'kinect_v1')
    mixed = load_annotation(one)
    del mixed['annotations'][1]['keypoint_score']
    save_annotation(mixed, one)
    with pytest.raises(ValueError, match=r'one\.pkl have keypoint_score .*one\.pkl ha'):
        pool([(one, 'xsub_train')], 'kinect_v1')


def test_clips_named_by_their_file_are_pooled(make, tmp_path):
    path = make('one', 'kinect_v1')
    annotation = load_annotation(path)
    for clip in annotation['annotations']:
        clip['filename'], clip['frame_dir'] = clip['frame_dir'], 'of the frames'
    save_annotation(annotation, path)
    save_annotation(pool([(path, 'xsub_train')], 'kinect_v1'), tmp_path / 'pooled.pkl')
    dataset = SkeletonDataset(str(tmp_path / 'pooled.pkl'), [], 'pool_train')
    names = [clip['frame_dir'] for clip in dataset.load_data_list()]
    assert names == ['one/a', 'one/b']


def test_a_pool_in_a_layout_by_its_fields_is_read_again(make, tmp_path):
    for layout in (
        get_layout('kinect_v1'),
        dict(name='arm', joints=['head', 'spine'], edges=[[0, 1]]),
    ):
        pooled = pool([(make('one', 'kinect_v1'), 'xsub_train')], layout)
        save_annotation(pooled, tmp_path / 'pooled.pkl')
        found = load_annotation(tmp_path / 'pooled.pkl')['metainfo']['layout']
        assert get_layout(found) == get_layout(layout)


def test_a_split_that_is_missing_is_named(make):
    with pytest.raises(ValueError, match="has no split 'xview_train'"):
        pool([(make('one', 'kinect_v1'), 'xview_train')], 'kinect_v1')


def test_the_four_real_sets_make_the_set_of_the_config(real_annotation, tmp_path):
    splits = dict(
        nw_ucla='xview_train',
        utd_mhad='xsub_train',
        msr_action3d='xsub_train',
        sbu='fold1_train',
    )
    sources = []
    for name, split in splits.items():
        path = tmp_path / f'{name}.pkl'
        save_annotation(real_annotation(name), path)
        sources.append((path, split))
    pooled = pool(sources, 'kinect_v1')
    assert len(pooled['annotations']) == 1020 + 431 + 292 + 227
    assert len(pooled['metainfo']['classes']) == 65
    assert {a['keypoint'].shape[2] for a in pooled['annotations']} == {20}
    assert {a['keypoint'].shape[0] for a in pooled['annotations']} == {1, 2}


@pytest.fixture
def main():
    return runpy.run_path(str(ROOT / 'tools' / 'data' / 'pool.py'))['main']


def test_the_command_writes_a_set_that_trains(make, main, tmp_path, capsys):
    one, two = make('one', 'kinect_v1'), make('two', 'sbu')
    out = tmp_path / 'pooled.pkl'
    sources = [f'{one}:xsub_train', f'{two}:xsub_train']
    assert main([str(out), *sources, '--layout', 'kinect_v1']) == 0
    assert 'sequences: 4' in capsys.readouterr().out
    dataset = SkeletonDataset(str(out), [], 'pool_train', num_joints=20)
    assert len(dataset) == 4
    own = tmp_path / 'own.json'
    joints = ['neck', 'head', 'torso']
    own.write_text(json.dumps(dict(joints=joints, edges=[[1, 0], [2, 0]])))
    assert main([str(out), *sources, '--layout', str(own)]) == 0
    pooled = load_annotation(out)
    assert get_layout(pooled['metainfo']['layout']).joints == tuple(joints)
    assert pooled['annotations'][0]['keypoint'].shape[2] == 3


@pytest.mark.parametrize(
    'source, message',
    [
        ('missing.pkl:xsub_train', 'missing.pkl does not exist'),
        ('one.pkl:some', "has no split 'some'"),
    ],
)
def test_the_command_writes_nothing_of_bad_input(
    make, main, tmp_path, capsys, source, message
):
    make('one', 'kinect_v1')
    out = tmp_path / 'pooled.pkl'
    assert main([str(out), str(tmp_path / source), '--layout', 'kinect_v1']) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_the_command_does_not_overwrite_a_source(make, main, tmp_path, capsys):
    path = make('one', 'kinect_v1')
    before = path.read_bytes()
    (tmp_path / 'link.pkl').symlink_to(path)
    source = f'{tmp_path / "link.pkl"}:xsub_train'
    assert main([str(path), source, '--layout', 'kinect_v1']) == 1
    assert 'one.pkl is one of the sources' in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    'out, source, message',
    [
        ('out.pkl', 'one.pkl', 'one.pkl must be FILE:SPLIT'),
        ('out.npz', 'one.pkl:train', 'out.npz must end in .pkl'),
    ],
)
def test_the_command_line_is_checked_first(main, capsys, out, source, message):
    with pytest.raises(SystemExit):
        main([out, source, '--layout', 'kinect_v1'])
    assert message in capsys.readouterr().err
