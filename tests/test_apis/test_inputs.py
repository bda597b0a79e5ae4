import json
from dataclasses import replace

import numpy as np
import pytest

from fdmae_mm.apis.inputs import InputReader
from fdmae_mm.datasets.annotation import load_annotation, save_annotation
from fdmae_mm.datasets.converters import LeftOut
from fdmae_mm.datasets.converters.ntu_missing import MISSING_SKELETONS
from fdmae_mm.datasets.layouts import LAYOUTS, get_layout, layout_from_joints

NTU = LAYOUTS['nturgb+d']
NTU_NAME = 'S001C002P003R002A013.skeleton'


def array(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def read(inputs, model_layout=NTU, **options):
    reader = InputReader(model_layout, **options)
    return [
        clip for name, item in reader.find(inputs) for clip in reader.read(name, item)
    ]


def one(inputs, **options):
    (clip,) = read(inputs, **options)
    return clip


def skeleton_file(path, keypoint):
    """A .skeleton file of one person (T, 25, 3)."""
    lines = [len(keypoint)]
    for joints in keypoint:
        lines += [1, '72057594037931101 0 1 1 1 1 0 0 0 2', len(joints)]
        lines += [f'{x} {y} {z} 277 192 1036 519 0 0 0 0 2' for x, y, z in joints]
    path.write_text('\n'.join(map(str, lines)))
    return path


def test_arrays_of_one_and_of_several_persons():
    single, several = array(7, 25, 3), array(2, 7, 25, 3)
    first, second = read([single, several])
    assert np.array_equal(first.annotation['keypoint'], single[None])
    assert np.array_equal(second.annotation['keypoint'], several)
    assert (first.name, second.name) == ('input0', 'input1')
    assert first.annotation['total_frames'] == 7
    assert first.layout is None


def test_an_annotation_keeps_what_it_says():
    annotation = dict(
        frame_dir='a', keypoint=array(1, 7, 17, 2), total_frames=5, layout='coco'
    )
    clip = one(annotation)
    assert clip.name == 'a'
    assert clip.annotation['total_frames'] == 5
    assert clip.layout is LAYOUTS['coco']
    assert one(annotation, layout='h36m').layout is LAYOUTS['h36m']


@pytest.fixture
def annotation_file(tmp_path):
    clips = [
        dict(frame_dir=name, label=0, total_frames=3, keypoint=array(1, 3, 20, 3))
        for name in 'abc'
    ]
    path = tmp_path / 'clips.pkl'
    metainfo = dict(layout='kinect_v1_utd_mhad')
    split = dict(train=['c', 'a'], val=['b'])
    save_annotation(dict(split=split, annotations=clips, metainfo=metainfo), path)
    return path


def test_an_annotation_file_and_a_split_of_it(annotation_file):
    clips = read(str(annotation_file))
    assert [clip.name for clip in clips] == ['a', 'b', 'c']
    # Of 20 joints as kinect_v1, in another order: only the file can tell.
    assert clips[0].layout is LAYOUTS['kinect_v1_utd_mhad']
    assert [c.name for c in read(annotation_file, split='train')] == ['a', 'c']
    content = load_annotation(annotation_file)
    content['annotations'][1]['layout'] = 'kinect_v1'  # of this clip alone
    layouts = [clip.layout.name for clip in read(content)]
    assert layouts == ['kinect_v1_utd_mhad', 'kinect_v1', 'kinect_v1_utd_mhad']
    with pytest.raises(ValueError, match=r"no split 'test', only \['train', 'val'\]"):
        read(annotation_file, split='test')


def test_the_fields_of_a_layout_are_read_once_for_a_file(tmp_path, monkeypatch):
    fields, built = dict(name='two', joints=['pelvis', 'head'], edges=[[1, 0]]), []

    def counted(layout):
        built.extend([layout] if isinstance(layout, dict) else [])
        return get_layout(layout)

    monkeypatch.setattr('fdmae_mm.datasets.layouts.get_layout', counted)
    clips = [dict(frame_dir=name, keypoint=array(1, 3, 2, 3)) for name in 'abc']
    content = dict(split={}, annotations=clips, metainfo=dict(layout=fields))
    save_annotation(content, tmp_path / 'a.pkl')
    found = read(str(tmp_path / 'a.pkl'))
    assert [clip.layout.joints for clip in found] == 3 * [('pelvis', 'head')]
    assert built == [fields]
    # Where another is given, that of the file does not matter.
    fields['edges'] = [['pelvis', 'nope']]
    save_annotation(content, tmp_path / 'a.pkl')
    assert read(str(tmp_path / 'a.pkl'), layout='coco')[0].layout is LAYOUTS['coco']


def test_a_file_of_an_array_is_mapped_and_not_read(tmp_path):
    keypoint = array(2, 7, 25, 3)
    np.save(tmp_path / 'a.npy', keypoint)
    clip = one(tmp_path / 'a.npy')
    assert isinstance(clip.annotation['keypoint'], np.memmap)
    assert np.array_equal(clip.annotation['keypoint'], keypoint)
    assert clip.name == str(tmp_path / 'a.npy')


def test_an_ending_may_be_in_capitals(tmp_path):
    keypoint = array(2, 7, 25, 3)
    with (tmp_path / 'A.NPY').open('wb') as file:
        np.save(file, keypoint)
    for path in tmp_path, tmp_path / 'A.NPY':
        assert np.array_equal(one(path).annotation['keypoint'], keypoint)


def test_a_table_and_poses_of_mmpose_take_the_layout_of_the_model(tmp_path):
    keypoint = array(4, 25, 3)
    np.savetxt(tmp_path / 'a.csv', keypoint.reshape(4, -1), delimiter=',')
    clip = one(tmp_path / 'a.csv')
    assert np.allclose(clip.annotation['keypoint'], keypoint[None], atol=1e-6)
    assert clip.layout == NTU

    person = dict(keypoints=array(17, 2).tolist(), keypoint_scores=[0.5] * 17)
    frames = [dict(frame_id=i, instances=[person]) for i in range(3)]
    (tmp_path / 'b.json').write_text(json.dumps(frames))
    clip = one(tmp_path / 'b.json', layout='coco')
    assert clip.annotation['keypoint'].shape == (1, 3, 17, 2)
    assert clip.annotation['keypoint_score'].shape == (1, 3, 17)
    assert clip.layout is LAYOUTS['coco']
    with pytest.raises(
        ValueError, match=r'17 joints.*layouts of 17 joints: coco, h36m'
    ):
        one(tmp_path / 'b.json')


def test_a_table_needs_a_layout(tmp_path):
    (tmp_path / 'a.csv').write_text('0,0,1\n')
    layout = layout_from_joints('own', ['hip'], [])
    assert one(tmp_path / 'a.csv', model_layout=layout).layout == layout
    with pytest.raises(ValueError, match='layout of its joints must be given'):
        one(tmp_path / 'a.csv', model_layout=None)


@pytest.mark.parametrize('name', [NTU_NAME, 'kinect.skeleton'])
def test_a_raw_ntu_file_of_any_name(tmp_path, name):
    keypoint = array(3, 25, 3)
    clip = one(skeleton_file(tmp_path / name, keypoint))
    assert np.allclose(clip.annotation['keypoint'], keypoint[None], atol=1e-6)
    assert clip.layout == NTU
    assert clip.name == str(tmp_path / name)


def test_a_sample_that_the_authors_list_is_left_out(tmp_path):
    path = skeleton_file(
        tmp_path / f'{min(MISSING_SKELETONS)}.skeleton', array(3, 25, 3)
    )
    left_out = one(path)
    assert isinstance(left_out, LeftOut)
    assert (left_out.name, 'missing' in left_out.reason) == (str(path), True)


def test_folders_globs_and_lists_in_the_order_of_names(tmp_path):
    for name in ('b', 'a', 'sub/c'):
        path = tmp_path / f'{name}.npy'
        path.parent.mkdir(exist_ok=True)
        np.save(path, array(3, 25, 3))
    (tmp_path / 'labels.csv').write_text('file,label\na,b\n')
    (tmp_path / 'notes.txt').write_text('')

    def names(inputs):
        found = InputReader(NTU).find(inputs)
        return [name.removeprefix(f'{tmp_path}/') for name, _ in found]

    assert names(tmp_path) == ['a.npy', 'b.npy', 'sub/c.npy']
    assert names(str(tmp_path / '*.npy')) == ['a.npy', 'b.npy']
    assert names(str(tmp_path / '**' / '*.npy')) == ['a.npy', 'b.npy', 'sub/c.npy']
    assert names([tmp_path / 'b.npy', array(3, 25, 3), str(tmp_path / 'sub')]) == [
        'b.npy',
        'input1',
        'sub/c.npy',
    ]


def test_a_link_that_leads_nowhere_is_an_input_that_cannot_be_read(tmp_path):
    path = tmp_path / 'a.npy'
    path.symlink_to('absent')
    for inputs in tmp_path, path, str(tmp_path / '*.npy'):
        with pytest.raises(FileNotFoundError, match=r'a\.npy'):
            read(inputs)
    (tmp_path / 'folder').symlink_to('absent')
    found = [name for name, _ in InputReader(NTU).find(tmp_path)]
    assert found == [str(path), str(tmp_path / 'folder')]


def test_other_formats_by_name(tmp_path):
    for name, frames in (('a01_s01_e00_v01', 3), ('a08_s02_e01_v02', 5)):
        record = dict(file_name=name, skeletons=array(frames, 20, 3).tolist(), label=1)
        record['label'] = {'a01': 1, 'a08': 7}[name[:3]]
        (tmp_path / f'{name}.json').write_text(json.dumps(record))
    (tmp_path / 'a02_s01_e00_v01.json').write_text('{')
    first, second, left_out = read(tmp_path, format='nw_ucla')
    assert (first.name, second.annotation['total_frames']) == ('a01_s01_e00_v01', 5)
    assert first.layout is LAYOUTS['kinect_v1']
    assert isinstance(left_out, LeftOut)


def test_frames_of_openpose_by_name(tmp_path):
    joints = np.full((25, 3), 0.5) + np.arange(25)[:, None]

    def write(clip, frames, num_joints=25):
        for number in range(frames):
            person = dict(pose_keypoints_2d=joints[:num_joints].ravel().tolist())
            path = tmp_path / f'{clip}_{number:012d}_keypoints.json'
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(dict(people=[person])))

    # Both shapes of folders, and a table of something else: no label counts.
    write('a', 3)
    write('sub/b', 2)
    write('sub/c', 2)
    (tmp_path / 'labels.csv').write_text('file,label\nx,y\n')
    clips = read(tmp_path, format='openpose')
    assert [(c.name, c.annotation['total_frames']) for c in clips] == [
        ('a', 3),
        ('sub/b', 2),
        ('sub/c', 2),
    ]
    assert clips[0].layout is LAYOUTS['openpose_body25']
    assert np.array_equal(clips[0].annotation['keypoint'][0, 2], joints[:, :2])
    with pytest.raises(ValueError, match='its format is openpose'):
        read(tmp_path / 'a_000000000000_keypoints.json', layout='coco')

    write('coco', 1, num_joints=18)
    *others, left_out = read(tmp_path, format='openpose')
    assert len(others) == 3
    assert 'layouts of 18 joints: openpose;' in left_out.reason
    own = replace(LAYOUTS['openpose'], name='own')
    for given, layout in ('openpose', LAYOUTS['openpose']), (own, own):
        (clip,) = [
            clip
            for clip in read(tmp_path, format='openpose', layout=given)
            if not isinstance(clip, LeftOut)
        ]
        assert (clip.name, clip.layout) == ('coco', layout)


def test_a_video_goes_through_the_pose_estimator(tmp_path):
    path = tmp_path / 'a.mp4'
    path.touch()
    with pytest.raises(ValueError, match='a video needs a pose estimator'):
        one(path)
    keypoint = array(1, 3, 17, 3)

    def estimate(video):
        assert video == str(path)
        return dict(keypoint=keypoint, layout='h36m', fps=25.0)

    clip = one(path, pose_estimator=estimate)
    assert clip.annotation['keypoint'] is keypoint
    assert clip.annotation['fps'] == 25
    assert clip.layout is LAYOUTS['h36m']


def test_outputs_are_not_found_by_a_search(tmp_path, monkeypatch):
    for name in ('a.npy', 'features.npy', 'sub/features.npy'):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        np.save(path, array(3, 25, 3))
    reader = InputReader(NTU, outputs=[tmp_path / 'sub' / '..' / 'features.npy'])
    kept = [str(tmp_path / 'a.npy'), str(tmp_path / 'sub' / 'features.npy')]
    for search in (tmp_path, f'{tmp_path}/**/*.npy'):
        assert [name for name, _ in reader.find(search)] == kept
    monkeypatch.chdir(tmp_path)
    for search in ('.', '**/*.npy'):
        found = [name for name, _ in reader.find(search)]
        assert found == ['a.npy', 'sub/features.npy']


def test_an_output_is_no_input(tmp_path):
    path = tmp_path / 'features.npy'
    np.save(path, array(3, 25, 3))
    reader = InputReader(NTU, outputs=[tmp_path / '.' / 'features.npy'])
    with pytest.raises(ValueError, match=r'features\.npy would be overwritten'):
        reader.find([tmp_path / 'features.npy'])


def test_scores_go_with_the_joints():
    keypoint, score = array(7, 17, 2), array(7, 17)
    clip = one(dict(keypoint=keypoint, keypoint_score=score, layout='coco'))
    assert np.array_equal(clip.annotation['keypoint_score'], score[None])
    clip = one(dict(keypoint=keypoint, keypoint_score=None, layout='coco'))
    assert 'keypoint_score' not in clip.annotation
    with pytest.raises(
        ValueError, match=r'has the shape \(7, 16\), expected \(7, 17\)'
    ):
        one(dict(keypoint=keypoint, keypoint_score=score[:, 1:], layout='coco'))


def test_a_format_is_read_as_it_is_asked_for(tmp_path, capsys):
    good, bad = array(4, 25, 3), array(4, 25, 3)
    bad[1, 2] = np.nan
    skeleton_file(tmp_path / NTU_NAME, good)
    skeleton_file(tmp_path / NTU_NAME.replace('A013', 'A014'), bad)
    quiet = dict(format='ntu120', show_progress=False)
    clip, left_out = read(tmp_path, **quiet)
    assert np.array_equal(clip.annotation['keypoint'], good[None])
    assert 'A014' in left_out.name
    assert 'joint 2 of person 0 in frame 1' in left_out.reason
    with pytest.raises(ValueError, match=r'A014.* NaN or infinite'):
        read(tmp_path, **quiet, strict=True)
    _, clip = read(tmp_path, **quiet, non_finite='zero')
    assert not clip.annotation['keypoint'][0, 1, 2].any()
    assert capsys.readouterr().err == ''
    read(tmp_path, format='ntu120')
    assert '2/2' in capsys.readouterr().err


def test_frames_before_persons_are_refused(tmp_path):
    swapped = array(21, 2, 25, 3)
    np.save(tmp_path / 'a.npy', swapped)
    for clip in (swapped, tmp_path / 'a.npy', dict(keypoint=swapped)):
        with pytest.raises(ValueError, match=r'21 persons in 2 frames.*np\.swapaxes'):
            one(clip)
    with pytest.raises(ValueError, match=r'reads both as .*np\.moveaxis'):
        one(array(3, 9, 25, 2))
    # Whoever tells the frames means it.
    assert one(dict(keypoint=swapped, total_frames=2)).annotation['total_frames'] == 2


@pytest.mark.parametrize(
    ('bad', 'reason'),
    [
        (array(25, 3), r'array of numbers \(persons, frames'),
        (array(1, 0, 25, 3), 'none of them 0'),
        (np.full((1, 2, 25, 3), 'x'), 'array of numbers'),
        (dict(frame_dir='a'), "a: an annotation must have the key 'keypoint'"),
        (dict(keypoint=[[1.0]]), r'are a list of the shape \(1, 1\)'),
        (dict(keypoint=array(1, 5, 25, 3), total_frames=6), 'from 1 to the 5 frames'),
    ],
)
def test_what_is_no_clip_is_refused(bad, reason):
    with pytest.raises(ValueError, match=reason):
        one(bad)


def test_what_is_no_input_is_refused():
    with pytest.raises(TypeError, match='input0 is a int; expected an array'):
        one(3)


def test_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([print], dtype=object), allow_pickle=True)
    (tmp_path / 'zip.npy').write_bytes(b'PK\x03\x04')  # a .npz that was cut
    header = b'\x93NUMPY\x01\x00\x10\x00' + b'(' * 15 + b'\n'
    (tmp_path / 'header.npy').write_bytes(header)
    for name in ('zip.npy', 'header.npy'):
        with pytest.raises(ValueError, match='no array of numbers'):
            one(tmp_path / name)
    with pytest.raises(ValueError, match='no array of numbers'):
        one(tmp_path / 'a.npy')


def test_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'a\*\.npy is no file and no folder'):
        read(str(tmp_path / 'a*.npy'))
    with pytest.raises(FileNotFoundError, match=r'holds no file that ends in \.pkl'):
        read(tmp_path)
    (tmp_path / 'a.txt').touch()
    with pytest.raises(ValueError, match='unknown ending'):
        read(tmp_path / 'a.txt')
    with pytest.raises(ValueError, match=r"format='folder' must be one of .*nw_ucla"):
        read(tmp_path, format='folder')
    with pytest.raises(ValueError, match=r"layout 'ntu' is unknown\. Known: "):
        read(tmp_path, layout='ntu')


def test_a_split_names_clips_as_posedataset_does():
    clip = dict(filename='a', frame_dir='there/a', keypoint=np.ones((1, 2, 25, 3)))
    content = dict(split=dict(val=['a']), annotations=[clip])
    (found,) = InputReader(None, split='val').read('content', content)
    assert found.name == 'a'
