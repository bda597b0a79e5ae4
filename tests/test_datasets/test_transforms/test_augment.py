"""Alignment, temporal crop and rotation."""

import copy

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import PoseDecode, UniformSampleFrames
from mmaction.registry import TRANSFORMS

from fdmae_mm.datasets.layouts import LAYOUTS, get_layout
from fdmae_mm.datasets.transforms import (
    AlignSkeleton,
    InterpolateJoints,
    RandomRotate3D,
    TemporalCropResize,
)

NTU = get_layout('nturgb+d')
# A body of four joints: 0 pelvis, 1 neck, 2 right shoulder, 3 left shoulder.
TINY = dict(
    name='tiny',
    joints=('pelvis', 'neck', 'right_shoulder', 'left_shoulder'),
    edges=((1, 0), (2, 1), (3, 1)),
    parts=dict(torso=(0, 1), left_arm=(3,), right_arm=(2,), left_leg=(), right_leg=()),
    left_right=((3, 2),),
    center=0,
    spine=(0, 1),
    shoulders=(2, 3),
)


def random_clip(persons=2, frames=9, joints=25, channels=3, seed=0):
    """A clip of measured joints only, 3 m in front of the camera."""
    rng = np.random.default_rng(seed)
    clip = rng.normal(size=(persons, frames, joints, channels)) + 3
    return clip.astype(np.float32)


def yaw(clip, angle):
    """Turns (..., 3) about y."""
    cos, sin = np.cos(angle), np.sin(angle)
    return clip @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T


def align(clip, **kwargs):
    """The aligned clip; the given one must not be written to."""
    given = clip.copy()
    results = dict(keypoint=clip, total_frames=clip.shape[1])
    results = AlignSkeleton(**kwargs)(results)
    assert np.array_equal(clip, given)
    assert results['total_frames'] == clip.shape[1]
    assert results['keypoint'].dtype == np.float32
    return results['keypoint']


def crop(clip, **kwargs):
    """The results of TemporalCropResize; the given clip must not be written to."""
    given = clip.copy()
    results = dict(keypoint=clip, total_frames=clip.shape[1])
    results = TemporalCropResize(**kwargs)(results)
    assert np.array_equal(clip, given)
    assert results['keypoint'].dtype == np.float32
    return results


def torch_resize(clip, size):
    """(M, T, V, C) along time, by torch."""
    persons, frames, joints, channels = clip.shape
    x = torch.from_numpy(np.ascontiguousarray(clip)).permute(0, 2, 3, 1)
    x = x.reshape(1, -1, frames)
    x = torch.nn.functional.interpolate(x, size, mode='linear', align_corners=False)
    return x.view(persons, joints, channels, size).permute(0, 3, 1, 2).numpy()


# InterpolateJoints --------------------------------------------------------------------


def interpolate(clip, **results):
    """The filled clip; the given one must not be written to."""
    given = clip.copy()
    filled = InterpolateJoints()(dict(keypoint=clip, **results))['keypoint']
    assert np.array_equal(clip, given)
    assert filled.dtype == np.float32
    return filled


def test_dropped_joints_lie_on_the_line_between_the_frames_that_have_them():
    clip = np.zeros((1, 5, 3, 2), np.float32)
    clip[0, :, 0] = [[1, 1], [0, 0], [0, 0], [7, 4], [8, 4]]  # gone for two frames
    clip[0, :, 1] = [[0, 0], [2, 2], [3, 3], [0, 0], [0, 0]]  # at both ends
    assert interpolate(clip)[0].transpose(1, 0, 2).tolist() == [
        [[1, 1], [3, 2], [5, 3], [7, 4], [8, 4]],
        [[2, 2], [2, 2], [3, 3], [3, 3], [3, 3]],
        [[0, 0]] * 5,  # never there
    ]


def test_frames_without_the_person_stay_empty_and_count_as_time():
    clip = np.zeros((2, 5, 2, 2), np.float32)
    clip[1, :, 0] = [[1, 1], [2, 2], [0, 0], [0, 0], [9, 9]]  # joint 0 of the second
    clip[1, :, 1] = [[1, 5], [0, 0], [0, 0], [0, 0], [9, 1]]
    filled = interpolate(clip)
    assert not filled[0].any()
    assert not filled[1, 2:4].any()
    # Frame 1 of 0 to 4: a quarter of the way.
    assert filled[1, :2, 1].tolist() == [[1, 5], [3, 4]]


def test_a_measured_joint_is_never_moved_and_padding_never_filled():
    rng = np.random.default_rng(0)
    clip = random_clip()
    clip[rng.random(clip.shape[:3]) < 0.4] = 0
    filled = interpolate(clip, total_frames=6)
    seen = clip.any(-1)
    assert np.array_equal(filled[seen], clip[seen])
    assert np.array_equal(filled[:, 6:], clip[:, 6:])
    assert filled[:, :6].any(-1).mean() > seen[:, :6].mean() + 0.3
    whole = random_clip()
    assert np.array_equal(interpolate(whole), whole)


def test_scores_say_which_joints_were_not_measured():
    clip, score = random_clip(), np.ones((2, 9, 25), np.float32)
    clip[0, 3, 4], score[0, 3, 4] = 0, 0
    results = InterpolateJoints()(dict(keypoint=clip, keypoint_score=score.copy()))
    assert np.array_equal(results['keypoint_score'], score)


# AlignSkeleton ------------------------------------------------------------------------

TINY_POSE = np.array([[1, 1, 3], [1, 2, 3], [1, 2, 2], [1, 2, 4]], dtype=np.float32)


def test_align_vertical_by_hand():
    # The shoulders run along +z, the depth; turned to +x, x becomes -z.
    clip = TINY_POSE[None, None]
    expected = [[0, 0, 0], [0, 1, 0], [-1, 1, 0], [1, 1, 0]]
    np.testing.assert_allclose(align(clip, layout=TINY)[0, 0], expected, atol=1e-6)

    clip = np.concatenate([clip, clip + np.float32([1, 0, 0])], axis=1)
    assert align(clip, layout=TINY)[0, 1, 0] == pytest.approx([0, 0, -1])


def test_align_full_by_hand():
    # Spine +y to +z takes z to -y: the right shoulder, at -z of the neck, goes to +y.
    # Then the shoulders, +y, go to +x.
    out = align(TINY_POSE[None, None], layout=TINY, rotate='full')
    expected = [[0, 0, 0], [0, 0, 1], [1, 0, 1], [-1, 0, 1]]
    np.testing.assert_allclose(out[0, 0], expected, atol=1e-6)


def test_align_none_only_centres():
    out = align(TINY_POSE[None, None], layout=TINY, rotate='none')
    np.testing.assert_allclose(out[0, 0], TINY_POSE - TINY_POSE[0])


def test_align_full_turns_opposite_directions():
    # Spine along -z, right shoulder along -x: both the opposite of their targets.
    pose = np.float32([[1, 1, 3], [1, 1, 2], [0, 1, 2], [2, 1, 2]])
    out = align(pose[None, None], layout=TINY, rotate='full')[0, 0]
    assert out[1] == pytest.approx([0, 0, 1], abs=1e-6)
    assert out[2] - out[3] == pytest.approx([2, 0, 0], abs=1e-6)


@pytest.mark.parametrize('layout', ['coco', 'openpose'])
def test_align_full_without_a_spine_goes_from_mid_hip_to_mid_shoulder(layout):
    # Hips at z = 1 and 3, shoulders at 0 and 4 and 2 above: the line from (1, 1, 2) to
    # (1, 3, 2) is +y, which goes to +z; then the shoulders, along z, go to x.
    joints = LAYOUTS[layout].joints
    clip = np.full((1, 1, len(joints), 3), 9, dtype=np.float32)
    points = dict(
        right_hip=(1, 1, 1),
        left_hip=(1, 1, 3),
        right_shoulder=(1, 3, 0),
        left_shoulder=(1, 3, 4),
    )
    for joint, point in points.items():
        clip[0, 0, joints.index(joint)] = point
    clip[0, 0, LAYOUTS[layout].center] = 1, 4, 2
    out = align(clip, layout=layout, rotate='full')[0, 0]
    expected = dict(
        right_hip=(1, 0, -3),
        left_hip=(-1, 0, -3),
        right_shoulder=(2, 0, -1),
        left_shoulder=(-2, 0, -1),
    )
    for joint, point in expected.items():
        assert out[joints.index(joint)] == pytest.approx(point, abs=1e-6)
    # Half a pair has no middle.
    clip[0, 0, joints.index('left_hip')] = 0
    centred = align(clip, layout=layout, rotate='none')
    assert np.array_equal(align(clip, layout=layout, rotate='full'), centred)


@pytest.mark.parametrize('persons', [1, 2])
def test_align_full_equals_prenormalize3d(persons):
    clip = random_clip(persons)
    stock = TRANSFORMS.build(dict(type='PreNormalize3D'))
    expected = stock(dict(keypoint=clip.astype(np.float64), total_frames=9))['keypoint']
    out = align(clip, layout='nturgb+d', rotate='full')
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize('layout', ['nturgb+d', 'kinect_v1', 'coco', 'h36m', 'sbu'])
@pytest.mark.parametrize('persons, frames', [(1, 1), (2, 7), (3, 5)])
def test_align_vertical_undoes_yaw_and_translation(layout, persons, frames):
    clip = random_clip(persons, frames, LAYOUTS[layout].num_joints)
    moved = yaw(clip, 2.0) + np.array([0.5, -0.3, 1.5])
    expected = align(clip, layout=layout)
    np.testing.assert_allclose(align(moved, layout=layout), expected, atol=2e-5)
    # And it is no constant: another pitch stays another pitch.
    assert np.abs(align(clip[..., [0, 2, 1]], layout=layout) - expected).max() > 0.1


@pytest.mark.parametrize('rotate', ['vertical', 'full', 'none'])
def test_align_keeps_distances_and_zeros(rotate):
    clip = random_clip(3)
    clip[0] = 0  # an absent person in front of the main one
    clip[1, :2] = 0  # which appears in the third frame
    clip[1, 4, 7] = clip[2, 5] = 0
    out = align(clip, layout='nturgb+d', rotate=rotate)
    dropped = ~clip.any(axis=-1)
    assert not out[dropped].any()
    # The centre of the reference frame is the one joint that becomes zero.
    dropped[1, 2, NTU.center] = True
    assert out[~dropped].any(axis=-1).all()
    both = clip[1, 3, 2] - clip[2, 6, 9]
    length = np.linalg.norm(out[1, 3, 2] - out[2, 6, 9])
    assert length == pytest.approx(np.linalg.norm(both), rel=1e-5)


@pytest.mark.parametrize('missing', [NTU.center, None])
def test_align_reference_is_the_first_frame_with_the_joints(missing):
    clip = random_clip(1)
    joints = [*NTU.shoulders, *NTU.hips] if missing is None else [missing]
    clip[0, :2, joints] = 0
    out = align(clip, layout='nturgb+d')
    assert not out[0, 2, NTU.center].any()
    right, left = NTU.shoulders
    line = out[0, 2, left] - out[0, 2, right]
    assert line[0] > 0
    assert line[2] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize('steep', [False, True])
def test_align_falls_back_to_the_hips(steep):
    clip = random_clip(1, frames=1)
    right, left = NTU.shoulders
    clip[0, 0, right] = clip[0, 0, left] + [0, 1, 0] if steep else 0
    out = align(clip, layout='nturgb+d')
    right, left = NTU.hips
    line = out[0, 0, left] - out[0, 0, right]
    assert line[0] > 0
    assert line[2] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(('degrees', 'taken'), [(2, 'hips'), (4, 'shoulders')])
def test_align_takes_a_line_within_3_degrees_for_vertical(degrees, taken):
    clip, angle = random_clip(1, frames=1), np.deg2rad(degrees)
    right, left = NTU.shoulders
    clip[0, 0, left] = clip[0, 0, right] + [0, np.cos(angle), np.sin(angle)]
    out = align(clip, layout='nturgb+d')
    right, left = getattr(NTU, taken)
    assert (out[0, 0, left] - out[0, 0, right])[2] == pytest.approx(0, abs=1e-5)


def test_align_full_falls_back_to_the_hips():
    clip = random_clip(1, frames=1)
    clip[0, 0, NTU.shoulders[0]] = 0
    out = align(clip, layout='nturgb+d', rotate='full')
    right, left = NTU.hips
    line = out[0, 0, right] - out[0, 0, left]
    assert line / np.linalg.norm(line) == pytest.approx([1, 0, 0], abs=1e-5)


def test_align_without_any_line_only_centres():
    clip = random_clip(1)
    clip[:, :, [*NTU.shoulders, *NTU.hips]] = 0
    expected = align(clip, layout='nturgb+d', rotate='none')
    for rotate in ('vertical', 'full'):
        out = align(clip, layout='nturgb+d', rotate=rotate)
        assert np.array_equal(out, expected)


def test_align_without_centre_joint_centres_on_the_others():
    clip = random_clip(1)
    clip[:, :, NTU.center] = 0
    clip[:, 0] = 0
    out = align(clip, layout='nturgb+d')
    others = [v for v in range(25) if v != NTU.center]
    assert out[0, 1, others].mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-5)


@pytest.mark.parametrize('rotate', ['vertical', 'full', 'none'])
def test_align_takes_joints_relative_to_their_root(rotate):
    clip = random_clip(persons=1)
    root = clip[:, :, [NTU.center]]
    found = align(clip - root, layout=NTU, rotate=rotate)
    wanted = align(clip, layout=NTU, rotate=rotate)
    wanted = wanted - wanted[:, :, [NTU.center]]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert not found[:, :, NTU.center].any()


@pytest.mark.parametrize('center', ['first', 'clip'])
def test_align_takes_no_padding_for_a_body(center):
    clip = random_clip(persons=2, frames=9)
    clip[0, :9] = 0  # so that the second is the main person
    # Padded by repetition, and somebody who is in the padding alone.
    padded = np.pad(clip, ((0, 0), (0, 60), (0, 0), (0, 0)), mode='edge')
    padded[0, 9:] = random_clip(persons=1, frames=60)[0]
    transform = AlignSkeleton('nturgb+d', center=center)
    results = transform(dict(keypoint=padded, total_frames=9))
    expected = align(clip, layout='nturgb+d', center=center)
    assert np.array_equal(results['keypoint'][:, :9], expected)
    assert not results['keypoint'][:, 9:].any()


def test_align_behind_sampled_frames_takes_all_of_them():
    # total_frames is that of the recording then.
    clip = random_clip(frames=9)
    results = dict(keypoint=clip, total_frames=3, frame_inds=np.arange(9))
    aligned = AlignSkeleton('nturgb+d')(results)['keypoint']
    assert np.array_equal(aligned, align(clip, layout='nturgb+d'))


def test_align_leaves_an_all_zero_clip():
    clip = np.zeros((2, 4, 25, 3), dtype=np.float16)
    assert not align(clip, layout='nturgb+d').any()


def test_align_two_dimensional():
    clip = random_clip(1, joints=17, channels=2)
    out = align(clip, layout='coco', rotate='none')
    np.testing.assert_allclose(out, clip - clip[0, 0, LAYOUTS['coco'].center])
    with pytest.raises(ValueError, match=r"C=2.*rotate='none'"):
        align(clip, layout='coco')


def test_align_bad_input():
    with pytest.raises(ValueError, match="rotate='yaw'"):
        AlignSkeleton('nturgb+d', rotate='yaw')
    with pytest.raises(ValueError, match='needs a spine, or hips and shoulders'):
        AlignSkeleton(dict(TINY, spine=None), rotate='full')
    with pytest.raises(ValueError, match='shoulders or hips'):
        AlignSkeleton(dict(TINY, shoulders=None))
    with pytest.raises(ValueError, match=r"V=17.*'nturgb\+d' has 25"):
        align(random_clip(joints=17), layout='nturgb+d')


# TemporalCropResize -------------------------------------------------------------------


def ramp(frames):
    """One joint whose x is frame + 1, (1, T, 1, 1)."""
    return np.arange(1, frames + 1, dtype=np.float32).reshape(1, -1, 1, 1)


def test_resize_by_hand():
    # Two frames to four: new centres at -0.25 (clamped), 0.25, 0.75, 1.25 (clamped).
    out = crop(ramp(2), clip_len=4)['keypoint'].ravel()
    assert out == pytest.approx([1, 1.25, 1.75, 2])
    # Four frames to two: centres at 0.5 and 2.5.
    out = crop(ramp(4), clip_len=2)['keypoint'].ravel()
    assert out == pytest.approx([1.5, 3.5])


@pytest.mark.parametrize('frames', [1, 2, 37, 64, 119, 120, 121, 300])
@pytest.mark.parametrize('clip_len', [1, 60, 120])
def test_resize_equals_torch(frames, clip_len):
    clip = random_clip(2, frames, 5)
    out = crop(clip, clip_len=clip_len, crop_range=(1, 1), min_frames=1)['keypoint']
    np.testing.assert_allclose(out, torch_resize(clip, clip_len), atol=1e-4)


@pytest.mark.parametrize('clip_len', [32, 64, 120])
def test_a_new_frame_on_an_old_one_is_that_frame(clip_len):
    transform = TemporalCropResize(clip_len=clip_len)
    for size in range(1, 300):
        lower, upper, weight = transform._positions(0, size)
        doubled = (2 * np.arange(clip_len) + 1) * size - clip_len
        met = doubled % (2 * clip_len) == 0
        inside = (doubled > 0) & (doubled // (2 * clip_len) < size - 1)
        assert np.array_equal((lower == upper)[inside], met[inside])
        assert np.array_equal((weight == 0)[inside], met[inside])


def test_test_crop_is_the_centre():
    # (1 - 0.8) * 21 / 2 = 2.1: frames 2 to 18 of 21.
    clip = random_clip(2, frames=21)
    out = crop(clip, clip_len=17, crop_range=(0.5, 0.8), test_mode=True)
    np.testing.assert_allclose(out['keypoint'], clip[:, 2:19])


def test_test_crops_are_evenly_spaced():
    # Half of 20 frames, three times: from frames 0, 5 and 10.
    results = crop(
        ramp(20), clip_len=10, crop_range=(0.5, 0.5), num_clips=3, test_mode=True
    )
    out = results['keypoint'].reshape(3, 10)
    expected = np.arange(1, 11) + np.array([[0], [5], [10]])
    np.testing.assert_allclose(out, expected)
    assert (results['num_clips'], results['clip_len']) == (3, 10)
    assert results['total_frames'] == 30


def test_margin_of_a_test_crop_is_rounded_down():
    # (1 - 0.8) * 27 / 2 = 2.7: frames 2 to 24 of 27.
    out = crop(ramp(27), clip_len=23, crop_range=(0.5, 0.8), test_mode=True)
    np.testing.assert_allclose(out['keypoint'].ravel(), np.arange(3, 26))


def test_training_crops_start_anywhere():
    """Of four frames the crop of two starts at the first, the second or the third."""
    np.random.seed(0)
    options = dict(clip_len=2, crop_range=(0.5, 0.5), min_frames=1)
    starts = [crop(ramp(4), **options)['keypoint'][0, 0, 0, 0] for _ in range(60)]
    assert set(starts) == {1, 2, 3}


def test_training_crops_have_the_given_frames_at_least():
    np.random.seed(0)
    options = dict(clip_len=1000, crop_range=(0.01, 0.01))
    for least in (1, 20, 90):
        out = crop(ramp(100), min_frames=least, **options)['keypoint'].ravel()
        assert out[-1] - out[0] == pytest.approx(least - 1)


@pytest.mark.parametrize('frames, shortest', [(200, 100), (100, 64), (30, 30)])
def test_training_crop_lengths(frames, shortest):
    np.random.seed(0)
    sizes, starts = set(), set()
    for _ in range(300):
        # 1000 new frames: the first and the last are the first and last of the crop.
        out = crop(ramp(frames), clip_len=1000)['keypoint'].ravel()
        starts.add(out[0])
        sizes.add(round(out[-1] - out[0]) + 1)
    assert min(sizes) >= shortest
    assert min(sizes) <= shortest * 1.05
    assert max(sizes) >= frames * 0.97
    assert min(starts) == 1
    assert max(starts) <= frames - shortest + 1
    assert max(starts) > (frames - shortest) * 0.7


def test_training_clips_differ():
    np.random.seed(0)
    out = crop(ramp(200), clip_len=10, num_clips=2)['keypoint'].reshape(2, 10)
    assert not np.allclose(out[0], out[1])


@pytest.mark.parametrize('test_mode', [False, True])
def test_padding_is_not_valid(test_mode):
    clip = np.zeros((2, 50, 3, 3), dtype=np.float32)
    body = random_clip(1, 30, 3)[0]
    clip[1, 5:35] = body
    clip[1, 20] = 0  # a gap inside stays
    options = dict(clip_len=30, crop_range=(1, 1), test_mode=test_mode)
    out = crop(clip, **options)['keypoint']
    body[15] = 0
    np.testing.assert_allclose(out[1], body)
    assert not out[0].any()


def test_total_frames_limits_the_clip():
    results = dict(keypoint=ramp(20), total_frames=10)
    out = TemporalCropResize(10, (1, 1))(results)['keypoint'].ravel()
    assert out == pytest.approx(np.arange(1, 11))


def test_a_dropped_joint_is_not_blended():
    # Frames 2, dropped, 6 to six frames: the centres lie at -0.25 and 0.25, 0.75 and
    # 1.25, 1.75 and 2.25, all between a measured and the dropped frame or clamped.
    clip = np.float32([2, 0, 6]).reshape(1, 3, 1, 1)
    out = crop(clip, clip_len=6)['keypoint'].ravel()
    assert out == pytest.approx([2, 2, 2, 6, 6, 6])
    # Zero only where both frames are: here from centre 1.25 to 1.75.
    clip = np.float32([2, 0, 0, 6]).reshape(1, 4, 1, 1)
    out = crop(clip, clip_len=8)['keypoint'].ravel()
    assert out == pytest.approx([2, 2, 2, 0, 0, 6, 6, 6])


def test_an_entering_person_is_not_blended():
    clip = random_clip(2, frames=6)
    clip[1, :3] = 0
    out = crop(clip, clip_len=16)['keypoint']
    measured = out[1][out[1].any(axis=(1, 2))]
    assert (measured.min(axis=0) >= clip[1, 3:].min(axis=0) - 1e-5).all()
    np.testing.assert_allclose(measured[0], clip[1, 3])


def test_one_frame_is_constant_and_zeros_stay():
    clip = random_clip(2, frames=1)
    clip[1] = 0
    out = crop(clip, clip_len=8)['keypoint']
    assert np.array_equal(out, np.repeat(clip, 8, axis=1))
    assert not crop(np.zeros_like(clip), clip_len=8)['keypoint'].any()


def test_scores_follow_the_joints():
    clip = random_clip(1, frames=3, joints=2, channels=2)
    score = np.float32([[[0.2, 1], [0.4, 0.1], [0.8, 0.5]]])
    clip[0, 1, 1] = 0  # with a score of 0.1, which must not leak
    results = dict(keypoint=clip, keypoint_score=score, total_frames=3)
    out = TemporalCropResize(6)(results)['keypoint_score']
    expected = [0.2, 0.25, 0.35, 0.5, 0.7, 0.8]
    assert out[0, :, 0] == pytest.approx(expected)
    assert out[0, :, 1] == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])
    assert out.dtype == np.float32


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(clip_len=0), 'clip_len=0'),
        (dict(clip_len=8, min_frames=0), 'min_frames=0'),
        (dict(clip_len=8, num_clips=0), 'num_clips=0'),
        (dict(clip_len=8, num_clips=3, test_mode=True), 'all be the whole sample'),
        (dict(clip_len=8, crop_range=(0, 1)), r'crop_range=\(0, 1\)'),
        (dict(clip_len=8, crop_range=(0.9, 0.5)), 'crop_range'),
        (dict(clip_len=8, crop_range=(0.5, 1.5)), 'crop_range'),
        (dict(clip_len=8, crop_range=(0.95,)), 'crop_range'),
    ],
)
def test_crop_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        TemporalCropResize(**kwargs)


def test_crop_bad_annotations():
    transform = TemporalCropResize(8)
    for total in (0, 10):
        with pytest.raises(ValueError, match=f'total_frames={total} of clip7'):
            transform(
                dict(keypoint=random_clip(), total_frames=total, frame_dir='clip7')
            )
    with pytest.raises(ValueError, match=r'keypoint_score.*needs \(2, 9, 25\)'):
        transform(dict(keypoint=random_clip(), keypoint_score=np.ones((1, 9, 25))))


@pytest.mark.parametrize(
    'transform',
    [
        AlignSkeleton('nturgb+d'),
        InterpolateJoints(),
        TemporalCropResize(8),
        RandomRotate3D(),
    ],
)
def test_bad_keypoints(transform):
    for value in (np.nan, np.inf, -np.inf):
        clip = random_clip()
        clip[1, 2, 3, 0] = value
        with pytest.raises(ValueError, match=r'clip7.*person 1, frame 2, joint 3'):
            transform(dict(keypoint=clip, frame_dir='clip7'))
    with pytest.raises(ValueError, match='before FormatGCNInput'):
        transform(dict(keypoint=random_clip()[None]))
    with pytest.raises(ValueError, match='non-empty'):
        transform(dict(keypoint=np.zeros((0, 9, 25, 3))))


@pytest.mark.parametrize('transform', [InterpolateJoints(), TemporalCropResize(8)])
def test_frames_that_were_sampled_before_are_refused(transform):
    """Behind PoseDecode total_frames is still that of the recording."""
    results = dict(
        keypoint=random_clip(), total_frames=9, frame_dir='clip7', num_clips=1
    )
    results = UniformSampleFrames(clip_len=64)(results)
    with pytest.raises(ValueError, match='clip7 were sampled before'):
        transform(PoseDecode()(results))


# RandomRotate3D -----------------------------------------------------------------------


def rotate(clip, theta, angles, monkeypatch):
    """Rotates with fixed draws from [-1, 1]."""
    monkeypatch.setattr(np.random, 'uniform', lambda *_, size: np.asarray(angles))
    return RandomRotate3D(theta)(dict(keypoint=clip))['keypoint']


@pytest.mark.parametrize(
    'angles, expected',
    [
        ((1, 0, 0), (0, 0, 1)),  # y to z about x
        ((0, 0, 1), (-1, 0, 0)),  # y to -x about z
        ((0, 1, 0), (0, 1, 0)),  # y stays about y
        ((1, 1, 0), (1, 0, 0)),  # about x first: y to z, then z to x
        ((1, 0, 1), (0, 0, 1)),  # y to z, which z keeps
    ],
)
def test_rotation_by_hand(angles, expected, monkeypatch):
    clip = np.float32([0, 1, 0]).reshape(1, 1, 1, 3)
    out = rotate(clip, np.pi / 2, angles, monkeypatch)
    assert out.ravel() == pytest.approx(expected, abs=1e-6)


def test_angles_are_uniform_within_both_limits():
    np.random.seed(0)
    clip = np.float32([1, 0, 0]).reshape(1, 1, 1, 3)
    transform = RandomRotate3D((0, 0, 0.5))
    points = [transform(dict(keypoint=clip))['keypoint'].ravel() for _ in range(300)]
    x, y, _ = np.transpose(points)
    angles = np.arctan2(y, x)
    assert -0.5 <= angles.min() < -0.45
    assert 0.45 < angles.max() <= 0.5
    assert angles.mean() == pytest.approx(0, abs=0.05)


def test_rotation_limits_per_axis(monkeypatch):
    clip = random_clip()
    out = rotate(clip, (0, 0.5, 0), (1, 1, 1), monkeypatch)
    np.testing.assert_allclose(out, yaw(clip, 0.5), rtol=1e-5, atol=1e-5)


def test_rotation_is_one_rigid_motion():
    np.random.seed(0)
    clip = random_clip()
    clip[1], clip[0, 3, 4] = 0, 0
    given = clip.copy()
    out = RandomRotate3D()(dict(keypoint=clip))['keypoint']
    assert out.dtype == np.float32
    assert np.array_equal(clip, given)
    assert np.array_equal(out.any(axis=-1), clip.any(axis=-1))
    gram = np.einsum('tvc,swc->tvsw', clip[0], clip[0])
    np.testing.assert_allclose(
        np.einsum('tvc,swc->tvsw', out[0], out[0]), gram, atol=1e-3
    )
    again = RandomRotate3D()(dict(keypoint=clip))['keypoint']
    assert not np.allclose(out, again)


def test_rotation_bad_input():
    with pytest.raises(ValueError, match='theta'):
        RandomRotate3D((0.3, 0.3))
    with pytest.raises(ValueError, match='C=2'):
        RandomRotate3D()(dict(keypoint=random_clip(channels=2)))


@pytest.mark.parametrize(
    'config, shown',
    [
        (
            dict(type='AlignSkeleton', layout='nturgb+d'),
            "AlignSkeleton(layout='nturgb+d', rotate='vertical', center='first')",
        ),
        (
            dict(type='TemporalCropResize', clip_len=8),
            'TemporalCropResize(clip_len=8, crop_range=(0.5, 1.0), min_frames=64, '
            'num_clips=1, test_mode=False)',
        ),
        (dict(type='InterpolateJoints'), 'InterpolateJoints()'),
        (dict(type='RandomRotate3D'), 'RandomRotate3D(theta=[0.3])'),
    ],
)
def test_registered_and_readable(config, shown):
    transform = TRANSFORMS.build(copy.deepcopy(config))
    assert repr(transform) == shown


def test_center_of_the_clip_is_the_mean_of_the_measured_frames():
    """Frames at x = 0, 2 and 7, the last of them without the centre joint."""
    keypoint = np.zeros((1, 3, 20, 3), dtype=np.float32)
    keypoint[0, :, :, 1] = np.arange(1, 21)
    keypoint[0, :, :, 0] = [[1.0], [3.0], [8.0]]
    center = get_layout('kinect_v1').center
    keypoint[0, 2, center] = 0
    align = AlignSkeleton('kinect_v1', rotate='none', center='clip')
    out = align(dict(keypoint=keypoint.copy()))['keypoint']
    joint = (center + 1) % 20
    assert out[0, :, joint, 0].tolist() == [-1.0, 1.0, 6.0]
    assert (out[0, 2, center] == 0).all()


def test_center_of_the_clip_is_that_of_the_main_person():
    clip = random_clip(3)
    clip[0] = 0  # absent
    out = align(clip, layout='nturgb+d', rotate='none', center='clip')
    center = clip[1, :, NTU.center].mean(axis=0)
    np.testing.assert_allclose(out[1:], clip[1:] - center, atol=1e-5)


def test_center_must_be_known():
    with pytest.raises(ValueError, match="center='hips' must be 'first' or 'clip'"):
        AlignSkeleton('kinect_v1', center='hips')
