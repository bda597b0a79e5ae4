import json
import re
import warnings
from argparse import ArgumentParser

import numpy as np
import pytest
from mmaction.datasets import PoseDataset
from mmengine.registry import DefaultScope

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.converters import MMPoseConverter, convert
from fdmae_mm.datasets.layouts import LAYOUTS

WIDTH, HEIGHT = 640, 480


def pose(x, dims=2, num_joints=17, score=0.5, **more):
    """A person of height 200 at x, as mmpose's ``split_instances`` writes it."""
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 200, (num_joints, dims)) * ([0.4] + [1] * (dims - 1))
    keypoints[:, 0] += x
    return dict(
        keypoints=keypoints.tolist(), keypoint_scores=[score] * num_joints, **more
    )


def boxed(x, **kwargs):
    # mmpose wraps the box once more: result['bbox'] = boxes[i].tolist(),
    return pose(x, bbox=[[x, 0, x + 80, 200]], bbox_score=0.9, **kwargs)


def inferencer(frames):
    """The file of MMPoseInferencer(pred_out_dir=...) for a video."""
    return [dict(frame_id=i, instances=people) for i, people in enumerate(frames)]


def demo(frames):
    """The file of demo/topdown_demo_with_mmdet.py --save-predictions."""
    array = dict(__ndarray__=[[0, 0, 0]], dtype='uint8', shape=[1, 3], Corder=True)
    return dict(
        meta_info=dict(dataset_name='coco', keypoint_colors=array),
        instance_info=[
            dict(frame_id=i, instances=people) for i, people in enumerate(frames, 1)
        ],
    )


def write(tmp_path, videos):
    """A folder a class; videos: {path: content of the json file}."""
    for name, content in videos.items():
        path = tmp_path / 'src' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return tmp_path / 'src'


def one(tmp_path, content, layout='coco', **options):
    """The annotation of a single video."""
    annotation, skipped = convert(
        MMPoseConverter(layout, **options), write(tmp_path, {'walk/a.json': content})
    )
    assert not skipped
    (sample,) = annotation['annotations']
    return sample


@pytest.mark.parametrize('form', [inferencer, demo])
def test_a_video_becomes_an_annotation(tmp_path, form):
    people = [boxed(10), boxed(13), boxed(16)]
    sample = one(tmp_path, form([[p] for p in people]), img_shape=(HEIGHT, WIDTH))
    assert sample['frame_dir'] == 'walk/a'
    assert sample['label'] == 0
    assert sample['total_frames'] == 3
    assert sample['img_shape'] == (HEIGHT, WIDTH)
    assert sample['keypoint'].dtype == np.float32
    expected = np.array([[p['keypoints'] for p in people]], np.float32)
    assert np.array_equal(sample['keypoint'], expected)
    assert np.array_equal(sample['keypoint_score'], np.full((1, 3, 17), 0.5))


@pytest.mark.parametrize(
    'names', [LAYOUTS['coco'].joints, ('a', *LAYOUTS['h36m'].joints[1:]), None]
)
def test_names_of_the_joints_that_fit_or_are_unknown(tmp_path, names):
    content = demo([[pose(0)]])
    content['meta_info']['keypoint_id2name'] = names and dict(enumerate(names))
    assert one(tmp_path, content)['keypoint'].shape == (1, 1, 17, 2)


def test_image_size_is_left_out_where_it_is_unknown(tmp_path):
    assert 'img_shape' not in one(tmp_path, inferencer([[pose(0)]]))


def test_lifted_poses_have_no_scores(tmp_path):
    # GenSkeFeat of MMAction2 refuses keypoint_score beside three coordinates.
    person = pose(0, dims=3)
    sample = one(tmp_path, demo([[person]]), 'h36m', img_shape=(480, 640))
    assert sample['keypoint'].shape == (1, 1, 17, 3)
    assert not {'keypoint_score', 'img_shape'} & sample.keys()


def test_lifted_poses_stand_upright(tmp_path):
    """mmpose has x, depth, height; models were trained with x, height, depth."""
    x, depth, height = 0.1, 3.0, 1.7
    person = dict(keypoints=[[x, depth, height]] * 17, keypoint_scores=[1.0] * 17)
    sample = one(tmp_path, demo([[person]]), 'h36m')
    assert np.allclose(sample['keypoint'], [x, height, depth])


def test_frames_that_are_left_out_are_empty(tmp_path):
    frames = inferencer([[pose(0)], [pose(1)], [], [pose(3)]])
    sample = one(tmp_path, [frames[0], frames[1], frames[3]])
    assert sample['total_frames'] == 4
    assert np.array_equal(places(sample), [[0, 1, np.nan, 3]], equal_nan=True)
    # Half of them, but no more.
    assert one(tmp_path, [frames[0], frames[3]])['total_frames'] == 4


def test_missing_joints_link_nobody_and_become_zeros(tmp_path):
    def broken(x, joints, **kwargs):
        person = pose(x, **kwargs)
        for joint in joints:
            person['keypoints'][joint] = [float('nan')] * 2
            person['keypoint_scores'][joint] = float('nan')
        return person

    few, most, all_ = [0, 1], range(3, 17), range(17)
    frames = [
        [broken(0, few, score=0.9), broken(300, most)],
        [broken(304, few), broken(4, most, score=0.9)],
        [broken(8, all_, score=0.9), broken(308, few)],
    ]
    source = write(tmp_path, {'walk/a.json': inferencer(frames)})
    with np.errstate(all='raise'), warnings.catch_warnings():
        warnings.simplefilter('error')
        annotation, skipped = convert(
            MMPoseConverter('coco'), source, non_finite='zero'
        )
    assert not skipped
    (sample,) = annotation['annotations']
    far, near = sample['keypoint'][..., 2, 0] - pose(0)['keypoints'][2][0]
    assert np.allclose(far, [300, 304, 308])
    assert np.allclose(near[:2], [0, 4])
    assert not sample['keypoint'][1, 0, few].any()
    assert not sample['keypoint_score'][1, 0, few].any()
    assert np.isfinite(sample['keypoint']).all()


def places(sample):
    """Mean x of each person by frame relative to that of pose(0), NaN if absent."""
    base = np.mean(pose(0)['keypoints'], axis=0)[0]
    keypoint = sample['keypoint']
    at = keypoint[..., 0].mean(axis=-1) - base
    return np.where(keypoint.any(axis=(2, 3)), at.round(3), np.nan).tolist()


def test_persons_keep_their_places_when_the_order_changes(tmp_path):
    frames = [
        [pose(0, score=0.9), pose(100)],
        [pose(96), pose(5, score=0.9)],
        [pose(92), pose(10, score=0.9)],
    ]
    found = places(one(tmp_path, inferencer(frames)))
    assert found == [[0, 5, 10], [100, 96, 92]]


def test_all_persons_are_linked_at_once(tmp_path):
    # The one at 25 is nearest to the second of the frame before, at 35: going one by
    # one would link these, and take 60 for a leap of the first.
    frames = [[pose(0, score=0.9), pose(35)], [pose(25, score=0.9), pose(60)]]
    assert places(one(tmp_path, inferencer(frames))) == [[0, 25], [35, 60]]


def test_absent_person_is_zeros_and_comes_back(tmp_path):
    frames = [
        [pose(0), pose(300, score=0.9)],
        [pose(300, score=0.9)],
        [],
        [pose(8), pose(300, score=0.9)],
    ]
    sample = one(tmp_path, inferencer(frames))
    far, near = places(sample)
    assert np.array_equal(far, [300, 300, np.nan, 300], equal_nan=True)
    assert np.array_equal(near, [0, np.nan, np.nan, 8], equal_nan=True)
    assert not sample['keypoint'][1, 1:3].any()
    assert np.array_equal(
        sample['keypoint_score'][:, :, 0],
        np.array([[0.9, 0.9, 0, 0.9], [0.5, 0, 0, 0.5]], np.float32),
    )


def test_a_person_given_twice_is_not_split(tmp_path):
    rng = np.random.default_rng(0)
    frames = [
        [pose(rng.normal(), score=0.9) for _ in range(1 + (t == 5))] for t in range(40)
    ]
    sample = one(tmp_path, inferencer(frames))
    there = sample['keypoint'].any((2, 3))  # (M, T)
    # Each goes on without a hole, so that nobody alternates between two halves.
    assert len(there) == 2
    assert (np.abs(np.diff(there, prepend=0, append=0)).sum(1) == 2).all()


def test_who_leaps_is_another_person(tmp_path):
    found = places(one(tmp_path, inferencer([[pose(0)], [pose(0)], [pose(400)]])))
    assert np.array_equal(
        found, [[0, 0, np.nan], [np.nan, np.nan, 400]], equal_nan=True
    )


def test_newcomer_far_off_does_not_change_who_is_who(tmp_path):
    # 40 is nearest to 70; to save the way to 400, a plain sum would take 0 instead.
    frames = [[pose(0), pose(70, score=0.9)], [pose(40, score=0.9), pose(400)]]
    found = places(one(tmp_path, inferencer(frames), max_persons=3))
    expected = [[70, 40], [0, np.nan], [np.nan, 400]]
    assert np.array_equal(found, expected, equal_nan=True)


def test_highest_sum_of_scores_is_kept(tmp_path):
    # Sums 2 * 0.9, 3 * 0.5, 3 * 0.7.
    frames = [
        [pose(0, score=0.9), pose(300, score=0.5), pose(600, score=0.7)],
        [pose(0, score=0.9), pose(300, score=0.5), pose(600, score=0.7)],
        [pose(300, score=0.5), pose(600, score=0.7)],
    ]
    two = places(one(tmp_path, inferencer(frames)))
    assert np.array_equal(two, [[600] * 3, [0, 0, np.nan]], equal_nan=True)
    (only,) = places(one(tmp_path, inferencer(frames), max_persons=1))
    assert only == [600] * 3
    assert len(places(one(tmp_path, inferencer(frames), max_persons=5))) == 3


def test_track_ids_are_followed(tmp_path):
    frames = [
        [pose(0, track_id=7, score=0.9), pose(100, track_id=3)],
        [pose(50, track_id=3)],
        [pose(0, track_id=3), pose(100, track_id=7, score=0.9)],
    ]
    found = places(one(tmp_path, inferencer(frames)))
    assert np.array_equal(found, [[0, np.nan, 100], [100, 50, 0]], equal_nan=True)


def test_joints_without_a_score_link_nobody(tmp_path):
    # mmpose guesses a place for each; here one joint was found, where it was before.
    first, second = pose(0, score=0.9), pose(400, score=0.0)
    for key in ('keypoints', 'keypoint_scores'):
        second[key][0] = first[key][0]
    sample = one(tmp_path, inferencer([[first], [second]]))
    assert sample['keypoint'].shape[:2] == (1, 2)


@pytest.mark.parametrize('score', [0.0, -0.1])
def test_scores_that_tell_nothing_part_nobody(tmp_path, score):
    frames = [[pose(0, score=score)], [pose(5, score=score)]]
    assert places(one(tmp_path, inferencer(frames))) == [[0, 5]]


def test_persons_of_one_size_zero_are_linked_without_a_warning(tmp_path):
    point = dict(keypoints=[[5, 5]] * 17, keypoint_scores=[1] * 17)
    with np.errstate(all='raise'):
        sample = one(tmp_path, inferencer([[point], [point]]))
    assert sample['keypoint'].shape == (1, 2, 17, 2)


def changed(**change):
    return inferencer([[pose(0) | change]])


BAD = {
    'no valid json': '[{"frame_id": 0',
    'expected a list of frames': {'keypoints': []},
    'its format is openpose': dict(version=1.3, people=[]),
    'it is the prediction of an image: run mmpose on the video': [pose(0)],
    'it seems to be of AlphaPose: .* the format folder': [
        dict(image_id='0.jpg', keypoints=[1.0] * 51, score=2.5, category_id=1)
    ],
    r"found entries with \['landmarks', 'time'\]": [dict(time=0, landmarks=[])],
    'found no dicts': [[1, 2]],
    "its joints are those of the layout 'h36m', not of 'coco': --layout h36m": dict(
        meta_info=dict(keypoint_id2name=dict(enumerate(LAYOUTS['h36m'].joints))),
        instance_info=inferencer([[pose(0, dims=3)]]),
    ),
    'frame_id does not count upwards': inferencer([[], []])[::-1],
    'frame_id does not count': inferencer([[pose(0)]]) * 2,
    'no person in any of 2 frames': inferencer([[], []]),
    'frame 0: 18 joints, .*coco. has 17; layouts of 18 joints: openpose;': (
        inferencer([[pose(0, num_joints=18)]])
    ),
    'layouts of 5 joints: none; another can be given': (
        inferencer([[pose(0, num_joints=5)]])
    ),
    r'keypoints have the shape \(17,\)': changed(keypoints=[1.0] * 17),
    r'keypoint_scores have the shape \(2,\)': changed(keypoint_scores=[1, 1]),
    r'have the shape \(17, 1\)': changed(keypoint_scores=[[1]] * 17),
    'lists of numbers: ValueError': changed(keypoints=[[1.0], [1.0, 2.0]]),
    "lists of numbers: KeyError 'keypoint_scores'": (
        inferencer([[dict(keypoints=[[0, 0]] * 17)]])
    ),
    'joints are NaN or infinite, the first .*--non-finite zero': (
        changed(keypoint_scores=[float('nan')] * 17)
    ),
    r'track_id=\[1\] must be': changed(track_id=[1]),
    'no valid json: .*recursion': '[' * 100_000,
    'frame_id goes from 0 to 66 in 3 frames': [
        dict(frame_id=33 * i, instances=[pose(0)]) for i in range(3)
    ],
    'some keypoints have 2 coordinates': inferencer([[pose(0)], [pose(400, dims=3)]]),
    'some persons have an identity': inferencer([[pose(0), pose(300, track_id=1)]]),
    'frame 0: two persons have the identity 0': (
        inferencer([[pose(0, track_id=0), pose(300, track_id=0)]])
    ),
}


@pytest.mark.parametrize(('reason', 'content'), BAD.items(), ids=range(len(BAD)))
def test_bad_file_is_left_out_with_the_reason(tmp_path, reason, content):
    good = inferencer([[pose(0)]])
    source = write(tmp_path, {'walk/good.json': good, 'walk/bad.json': content})
    annotation, skipped = convert(MMPoseConverter('coco'), source)
    assert [a['frame_dir'] for a in annotation['annotations']] == ['walk/good']
    ((name, found),) = skipped
    assert name == 'walk/bad.json'
    assert re.search(reason, found)


def test_options_are_checked():
    with pytest.raises(ValueError, match='max_persons=0'):
        MMPoseConverter('coco', max_persons=0)
    with pytest.raises(ValueError, match=r'img_shape=\[480, 0\] must be at least 1'):
        MMPoseConverter('coco', img_shape=[480, 0])
    with pytest.raises(ValueError, match=r"layout 'coko' is unknown. Known: \['coco'"):
        MMPoseConverter('coko')


def test_table_names_the_videos(tmp_path):
    content = inferencer([[pose(0)]])
    source = write(
        tmp_path,
        {
            'predictions/a.json': content,
            'predictions/results_b.json': content,  # as the demos call it
            'predictions/my_results_c.json': content,
            'labels.csv': 'file,label\npredictions/a.mp4,sit\npredictions/b.mp4,run\n'
            'predictions/my_results_c.mp4,run\n',
        },
    )
    annotation, skipped = convert(MMPoseConverter('coco'), source)
    assert not skipped
    assert {a['frame_dir']: a['label'] for a in annotation['annotations']} == {
        'predictions/a': 1,
        'predictions/b': 0,
        'predictions/my_results_c': 0,
    }


@pytest.mark.parametrize(('dims', 'layout'), [(2, 'coco'), (3, 'h36m')])
def test_options_and_datasets(tmp_path, dims, layout):
    frames = [[pose(x, dims), pose(x + 300, dims)] for x in range(0, 40, 5)]
    source = write(
        tmp_path,
        {f'{c}/{i}.json': inferencer(frames[i:]) for c in ('a', 'b') for i in range(2)},
    )
    parser = ArgumentParser()
    MMPoseConverter.add_arguments(parser)
    arguments = ['--layout', layout, '--img-shape', '480', '640', '--max-persons', '2']
    options = vars(parser.parse_args(arguments))
    out = str(tmp_path / 'mmpose.pkl')
    save_annotation(convert(MMPoseConverter(**options), source)[0], out)
    assert len(SkeletonDataset(out, pipeline=[], split='val', num_joints=17)) == 2

    pre = [dict(type='PreNormalize2D')] if dims == 2 else []
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = PoseDataset(
            out,
            split='train',
            pipeline=[
                *pre,
                dict(type='GenSkeFeat', dataset='coco'),
                dict(type='UniformSampleFrames', clip_len=6),
                dict(type='PoseDecode'),
                dict(type='FormatGCNInput', num_person=2),
                dict(type='PackActionInputs'),
            ],
        )
    inputs = dataset[0]['inputs']
    assert inputs.shape == (1, 2, 6, 17, 3)  # x and y with a score, or x, y, z
    if dims == 2:
        assert inputs[..., :2].abs().max() <= 1
        assert inputs[..., 2].unique().tolist() == [0.5]


def test_workers_change_nothing(tmp_path):
    source = write(
        tmp_path,
        {
            f'{c}/{i}.json': inferencer([[pose(i)]])
            for c in ('a', 'b')
            for i in range(3)
        },
    )
    one, two = (convert(MMPoseConverter('coco'), source, workers=n)[0] for n in (1, 2))
    assert one['split'] == two['split']
    for a, b in zip(one['annotations'], two['annotations'], strict=True):
        assert (a['frame_dir'], a['label']) == (b['frame_dir'], b['label'])
        assert np.array_equal(a['keypoint'], b['keypoint'])
