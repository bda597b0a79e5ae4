import json
import re
import tarfile
import zipfile
from argparse import ArgumentParser

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.converters import BadFileError, OpenPoseConverter, convert


def column(x=0.0):
    """25 joints in a column, 240 pixels high, x pixels to the right."""
    return np.stack([np.full(25, 50 + x), np.arange(25) * 10 + 5], axis=1)


def person(x=0.0, score=0.5, missing=(), person_id=-1, num_joints=25):
    """Somebody x pixels to the right, as OpenPose writes it."""
    joints = np.column_stack([column(x), np.full(25, score)])[:num_joints]
    joints[list(missing)] = 0
    return dict(
        person_id=[person_id],
        pose_keypoints_2d=joints.ravel().tolist(),
        face_keypoints_2d=[],
        pose_keypoints_3d=[],
    )


def frame(*people):
    return json.dumps(dict(version=1.3, people=people))


def clip(name, *frames):
    """Files of a clip: frames as lists of people, None where the file is missing."""
    return {
        f'{name}_{number:012d}_keypoints.json': frame(*people)
        for number, people in enumerate(frames)
        if people is not None
    }


def write(tmp_path, files):
    for name, content in files.items():
        path = tmp_path / 'src' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / 'src'


def read(tmp_path, files, workers=1, **options):
    annotation, skipped = convert(
        OpenPoseConverter(**options), write(tmp_path, files), workers=workers
    )
    assert not skipped
    return annotation


def one(tmp_path, *frames, **options):
    """The sample of a single clip."""
    (sample,) = read(tmp_path, clip('wave/a', *frames), **options)['annotations']
    return sample


def labels(annotation):
    classes = annotation['metainfo']['classes']
    return {a['frame_dir']: classes[a['label']] for a in annotation['annotations']}


def places(sample):
    """How far right each person is by frame, NaN if absent."""
    keypoint = sample['keypoint']
    x = keypoint[..., 0].max(-1) - 50
    return np.where(keypoint.any((2, 3)), x, np.nan).tolist()


def test_two_persons_who_swap_their_order(tmp_path):
    sample = one(
        tmp_path,
        [person(0, score=0.75), person(200)],
        [person(196), person(4, score=0.75)],
        img_shape=(480, 640),
    )
    assert sample['frame_dir'] == 'wave/a'
    assert sample['total_frames'] == 2
    assert sample['img_shape'] == (480, 640)
    expected = [[column(0), column(4)], [column(200), column(196)]]
    assert sample['keypoint'].dtype == np.float32
    assert np.array_equal(sample['keypoint'], expected)  # (M, T, V, 2)
    assert np.array_equal(
        sample['keypoint_score'], np.repeat([0.75, 0.5], 50).reshape(2, 2, 25)
    )


def test_a_missing_joint_is_zeros_and_moves_nobody(tmp_path):
    # As coordinates, the zeros of the legs would draw both persons to one corner.
    legs = range(8, 25)
    sample = one(
        tmp_path,
        [person(0, missing=legs, score=0.75), person(100)],
        [person(100), person(0, missing=legs, score=0.75)],
        [person(2, score=0.75), person(100)],
    )
    assert places(sample) == [[100, 100, 100], [0, 0, 2]]
    assert not sample['keypoint'][1, :2, 8:].any()
    assert not sample['keypoint_score'][1, :2, 8:].any()


def test_a_body_at_the_edge_of_the_image_is_seen(tmp_path):
    edge, other = person(-50, score=0.75), person(200)  # x = 0 throughout
    sample = one(tmp_path, [edge, other], [other, edge])
    assert places(sample) == [[-50, -50], [200, 200]]


def test_without_a_common_joint_there_is_no_link(tmp_path):
    upper, lower = range(12), range(12, 25)
    with np.errstate(all='raise'):
        sample = one(tmp_path, [person(0, missing=upper)], [person(0, missing=lower)])
    assert sample['keypoint'].any((2, 3)).tolist() == [[True, False], [False, True]]


def test_few_joints_of_a_person_are_judged_by_the_size_of_the_whole(tmp_path):
    # Two joints span 10 pixels, and the person moves on by 20.
    two = range(2, 25)
    sample = one(tmp_path, [person(0)], [person(20, missing=two)], [person(40)])
    assert places(sample) == [[0, 20, 40]]


def test_nan_is_left_out_of_the_distance(tmp_path):
    odd = person(0, score=0.75)
    odd['pose_keypoints_2d'][:36] = [float('nan')] * 36
    source = write(
        tmp_path,
        clip('wave/a', [odd, person(100)], [person(100), person(0, score=0.75)]),
    )
    with pytest.raises(ValueError, match='wave/a: 12 joints are NaN or infinite'):
        convert(OpenPoseConverter(), source)
    annotation, _ = convert(OpenPoseConverter(), source, non_finite='zero')
    assert places(annotation['annotations'][0]) == [[0, 0], [100, 100]]


def test_frames_stand_in_the_order_of_their_numbers(tmp_path):
    files = clip('wave/a', None, None, [person(0)], [person(1)], None, [person(3)], [])
    sample = read(tmp_path, dict(reversed(files.items())))['annotations'][0]
    # From the first number on, with an empty frame for one that is missing.
    expected = [[0, 1, np.nan, 3, np.nan]]
    assert np.array_equal(places(sample), expected, equal_nan=True)


def test_frame_step_leaves_no_holes(tmp_path):
    step_3 = [[person(0)], None, None, [person(3)], None, None]
    sample = one(tmp_path, *step_3, *[None] * 3, [person(9)])
    assert np.array_equal(places(sample), [[0, 3, np.nan, 9]], equal_nan=True)


def test_ids_of_a_tracker_are_followed(tmp_path):
    sample = one(
        tmp_path,
        [person(0, person_id=7, score=0.75), person(100, person_id=0)],
        [person(0, person_id=0), person(100, person_id=7, score=0.75)],
    )
    assert places(sample) == [[0, 100], [100, 0]]


def test_who_was_found_without_a_body_is_nobody(tmp_path):
    sample = one(tmp_path, [person(missing=range(25)), person(3)], max_persons=5)
    assert places(sample) == [[3]]


def test_files_without_an_id_and_other_models(tmp_path):
    old = person(num_joints=18)
    del old['person_id']
    annotation = read(tmp_path, clip('wave/a', [old]), layout='openpose')
    assert annotation['annotations'][0]['keypoint'].shape == (1, 1, 18, 2)
    assert annotation['metainfo']['layout'] == 'openpose'
    old['pose_keypoints'] = old.pop('pose_keypoints_2d')  # version 1.0
    oldest = read(tmp_path / '1.0', clip('wave/a', [old]), layout='openpose')
    assert np.array_equal(
        oldest['annotations'][0]['keypoint'], annotation['annotations'][0]['keypoint']
    )


# Shapes of the source -----------------------------------------------------------------


def test_many_clips_in_the_folder_of_a_class(tmp_path):
    files = {
        **clip('wave/a', [person()], [person()]),
        **clip('wave/a_b', [person()]),
        **clip('nod/a', [person()]),  # the only one of its class
    }
    assert labels(read(tmp_path, files)) == {
        'nod/a': 'nod',
        'wave/a': 'wave',
        'wave/a_b': 'wave',
    }
    # The same one folder deeper.
    files = {f'set/{name}': content for name, content in files.items()}
    assert labels(read(tmp_path / 'deep', files)) == {
        'set/nod/a': 'nod',
        'set/wave/a': 'wave',
        'set/wave/a_b': 'wave',
    }


def test_a_folder_a_clip(tmp_path):
    files = {
        **clip('wave/1/video', [person()], [person()]),
        **clip('wave/2/video', [person()]),
        **clip('nod/1/video', [person()]),
    }
    assert labels(read(tmp_path, files)) == {
        'nod/1/video': 'nod',
        'wave/1/video': 'wave',
        'wave/2/video': 'wave',
    }


def test_frames_of_a_camera_and_of_images(tmp_path):
    # A camera: no name before the number. Images: as many digits as their names have.
    files = {
        'wave/1/000000000000_keypoints.json': frame(person(1)),
        'wave/1/000000000001_keypoints.json': frame(person(2)),
        'nod/2/frame9_keypoints.json': frame(person(4)),
        'nod/2/frame10_keypoints.json': frame(person(5)),
        'nod/3/img_2024_07_keypoints.json': frame(person(6)),
        'nod/3/img_2024_08_keypoints.json': frame(person(7)),
    }
    annotation = read(tmp_path, files)
    assert labels(annotation) == {
        'nod/2/frame': 'nod',
        'nod/3/img_2024': 'nod',
        'wave/1/1': 'wave',
    }
    assert [places(a) for a in annotation['annotations']] == [
        [[4, 5]],
        [[6, 7]],
        [[1, 2]],
    ]
    table = {'labels.csv': 'file,label\nwave/1,x\nnod/2,y\nnod/3,y\n'}
    assert labels(read(tmp_path, files | table))['wave/1/1'] == 'x'
    # The source is the clip.
    clips = {name.rpartition('/')[2]: files[name] for name in list(files)[:2]}
    clips['labels.csv'] = 'file,label\ncamera,x\n'
    assert labels(read(tmp_path / 'camera', clips)) == {'camera': 'x'}


def test_both_shapes_need_a_table(tmp_path):
    files = clip('wave/a', [person()]) | clip('nod/1/b', [person()])
    with pytest.raises(
        BadFileError, match='nod/1 looks like the folder of a clip and wave like'
    ):
        read(tmp_path, files)
    files['labels.csv'] = 'file,label\nwave/a,x\nnod/1,y\n'
    assert labels(read(tmp_path, files)) == {'wave/a': 'x', 'nod/1/b': 'y'}


def test_table_names_clips_or_their_folders(tmp_path):
    files = {
        **clip('s/a', [person()]),
        **clip('s/b', [person()]),
        **clip('t/1/video', [person()]),
        'labels.csv': 'file,label,split\ns/a.mp4,sit,p\ns/b,run,q\nt/1/,run,p\n',
    }
    annotation = read(tmp_path, files)
    assert labels(annotation) == {'s/a': 'sit', 's/b': 'run', 't/1/video': 'run'}
    assert annotation['split'] == {'p': ['s/a', 't/1/video'], 'q': ['s/b']}


@pytest.mark.parametrize(
    ('rows', 'error', 'reason'),
    [
        ('w/1,x\nw/1/a,x', BadFileError, r'labels\.csv lists w/1/a a second time'),
        ('w/1,x\nw/2,x', ValueError, r'not there, the first is w/2\.'),
        # Two clips are in the folder: which one is meant is not said.
        ('s,x\nw/1,x', ValueError, r'not there, the first is s\.'),
    ],
)
def test_a_table_that_does_not_fit(tmp_path, rows, error, reason):
    files = {
        **clip('w/1/a', [person()]),
        **clip('s/a', [person()]),
        **clip('s/b', [person()]),
        'labels.csv': f'file,label\n{rows}\n',
    }
    with pytest.raises(error, match=reason):
        convert(OpenPoseConverter(), write(tmp_path, files))


def test_a_clip_without_a_label(tmp_path):
    with pytest.raises(ValueError, match=r'none of 2 files .* a: no label'):
        read(tmp_path, clip('a', [person()], [person()]))


def folder_of(source):
    return source


def zip_of(source):
    with zipfile.ZipFile(source.with_suffix('.zip'), 'w') as archive:
        for path in source.rglob('*.json'):
            archive.write(path, path.relative_to(source))
    return source.with_suffix('.zip')


def tar_of(source):
    with tarfile.open(source.with_suffix('.tar.gz'), 'w:gz') as archive:
        # The clips mixed, and the last frame first.
        for path in sorted(source.rglob('*.json'), key=lambda p: p.name, reverse=True):
            archive.add(path, path.relative_to(source))
    return source.with_suffix('.tar.gz')


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize('source_of', [folder_of, zip_of, tar_of])
def test_every_source_and_number_of_workers_gives_the_same(
    tmp_path, capsys, source_of, workers
):
    files = {}
    for i in range(3):
        files |= clip(f'wave/{i}/v', [person(i)], [person(i + 1)])
    files |= clip('wave/bad/v', [person()]) | {
        'wave/bad/v_000000000001_keypoints.json': '{'
    }
    source = source_of(write(tmp_path, files))
    annotation, skipped = convert(OpenPoseConverter(), source, workers=workers)
    found = {a['frame_dir']: places(a) for a in annotation['annotations']}
    assert found == {f'wave/{i}/v': [[i, i + 1]] for i in range(3)}
    ((name, reason),) = skipped
    assert name == 'wave/bad/v'
    assert reason.startswith(
        'wave/bad/v_000000000001_keypoints.json: frame 1: no valid json'
    )
    assert '4/4' in capsys.readouterr().err  # the bar counts clips
    with pytest.raises(BadFileError, match=r', wave/bad/v: wave/bad/v_0.*frame 1: no'):
        convert(OpenPoseConverter(), source, strict=True, workers=workers)


# Bad files ----------------------------------------------------------------------------


def changed(**change):
    return {'a_000000000003_keypoints.json': frame(person() | change)}


AT_3 = r'^wave/a_000000000003_keypoints\.json: frame 3: '
BAD = {
    f'{AT_3}no valid json': {'a_000000000003_keypoints.json': '{"people": ['},
    f"{AT_3}expected a dict with a list of 'people'": (
        {'a_000000000003_keypoints.json': '[]'}
    ),
    f"{AT_3}a person must have .* KeyError 'pose_keypoints_2d'": (
        {'a_000000000003_keypoints.json': frame(dict(person_id=[-1]))}
    ),
    f'{AT_3}a person must have .*three numbers a joint.* ValueError': (
        changed(pose_keypoints_2d=[1, 2])
    ),
    f'{AT_3}a person must have .*list of one number: ValueError': (
        changed(person_id=[1, 2])
    ),
    f'{AT_3}a person must have .*list of one number: TypeError': (
        changed(person_id=[None])
    ),
    f'{AT_3}18 joints, .*openpose_body25. has 25; layouts of 18 joints: openpose;': (
        {'a_000000000003_keypoints.json': frame(person(num_joints=18))}
    ),
    f'{AT_3}two persons have the identity 4': {
        'a_000000000003_keypoints.json': frame(
            person(person_id=4), person(100, person_id=4)
        )
    },
    '^some persons have an identity': (
        clip('a', [person(person_id=1), person(100)], [person(person_id=1)])
    ),
    '^no person in any of 2 frames': clip('a', [], []),
    '^only 4 of 10 frames from 0 to 9 have a file': (
        clip('a', *[[person()]] * 3, *[None] * 6, [person()])
    ),
}


@pytest.mark.parametrize(('reason', 'files'), BAD.items(), ids=range(len(BAD)))
def test_bad_clip_is_left_out_with_the_reason(tmp_path, reason, files):
    files = {f'wave/{name}': content for name, content in files.items()}
    source = write(tmp_path, clip('wave/good', [person()]) | files)
    annotation, skipped = convert(OpenPoseConverter(), source)
    assert [a['frame_dir'] for a in annotation['annotations']] == ['wave/good']
    ((name, found),) = skipped
    assert name == 'wave/a'
    assert re.search(reason, found)


def test_half_of_the_frames_may_be_missing(tmp_path):
    there = [[person()]] * 4
    assert one(tmp_path, *there, *[None] * 5, [person()])['total_frames'] == 10


def test_a_frame_that_is_there_twice(tmp_path):
    path, twice = tmp_path / 'src.tar', 'wave/a_000000000000_keypoints.json'
    files = write(tmp_path, clip('wave/a', [person()]) | clip('wave/b', [person()]))
    with tarfile.open(path, 'w') as archive:
        archive.add(files, '.')
        archive.add(files / twice, twice)
    _, skipped = convert(OpenPoseConverter(), path)
    assert skipped == [('wave/a', f'{twice}: a second file of frame 0')]


@pytest.mark.parametrize('workers', [1, 2])
def test_a_file_that_cannot_be_read_is_named(tmp_path, workers):
    source = write(tmp_path, clip('wave/a', [person()]) | clip('wave/b', [person()]))
    (source / 'wave/b_000000000001_keypoints.json').symlink_to('/proc/self/mem')
    _, skipped = convert(OpenPoseConverter(), source, workers=workers)
    ((name, reason),) = skipped
    assert name == 'wave/b'
    assert re.match(r'wave/b_000000000001_keypoints\.json: .*Input/output', reason)


def test_a_folder_without_frames(tmp_path):
    source = write(tmp_path, {'wave/a.json': frame(), 'wave/a_keypoints.json': '{}'})
    with pytest.raises(ValueError, match='holds no files NAME_NUMBER_keypoints'):
        convert(OpenPoseConverter(), source)


def test_options_and_datasets(tmp_path):
    parser = ArgumentParser()
    OpenPoseConverter.add_arguments(parser)
    options = vars(parser.parse_args(['--max-persons', '1']))
    assert options['layout'] == 'openpose_body25'
    files = {}
    for name in ('nod/1/v', 'nod/2/v', 'wave/1/v', 'wave/2/v'):
        files |= clip(name, *[[person(x), person(x + 100)] for x in range(8)])
    out = str(tmp_path / 'openpose.pkl')
    save_annotation(read(tmp_path, files, **options), out)
    pipeline = [
        dict(type='AlignSkeleton', layout='openpose_body25', rotate='none'),
        dict(type='TemporalCropResize', clip_len=4),
        dict(type='FormatGCNInput', num_person=1),
    ]
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = SkeletonDataset(out, pipeline, split='train', num_joints=25)
    assert len(dataset) == 2
    assert dataset[0]['keypoint'].shape == (1, 1, 4, 25, 3)  # x, y and score
