"""Streams, mirror images, changes of layout; the alignment of every layout."""

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from fdmae_mm.datasets.layouts import LAYOUTS, get_layout
from fdmae_mm.datasets.transforms import (
    AlignSkeleton,
    MapSkeleton,
    SkeletonFlip,
    SkeletonStream,
)

STREAMS = ('joint', 'bone', 'joint_motion', 'bone_motion')
# A right arm hung on a pelvis: 0 hand, 1 shoulder, 2 pelvis, and the left hand 3.
TINY = dict(
    name='tiny',
    joints=('right_hand', 'right_shoulder', 'pelvis', 'left_hand'),
    edges=((0, 1), (1, 2), (3, 2)),
    parts=dict(torso=(2,), left_arm=(3,), right_arm=(0, 1), left_leg=(), right_leg=()),
    left_right=((3, 0),),
    center=2,
)
NTU = LAYOUTS['nturgb+d']
layouts = pytest.mark.parametrize('layout', LAYOUTS)


def random_clip(layout, persons=2, frames=6, channels=3, seed=0):
    """A clip of measured joints only."""
    rng = np.random.default_rng(seed)
    shape = persons, frames, get_layout(layout).num_joints, channels
    return (rng.normal(size=shape) + 3).astype(np.float32)


def apply(transform, keypoint, score=None, **results):
    """The results of a transform, which must not write to what it is given."""
    given = keypoint.copy()
    results = dict(results, keypoint=keypoint, frame_dir='a clip')
    if score is not None:
        given_score = score.copy()
        results['keypoint_score'] = score
    results = transform(results)
    assert np.array_equal(keypoint, given)
    assert results['keypoint'].dtype == np.float32
    if score is not None:
        assert np.array_equal(score, given_score)
        assert results['keypoint_score'].shape == results['keypoint'].shape[:3]
    return results


# The alignment of every layout --------------------------------------------------------


def turned(keypoint, seed):
    """A random rotation and translation of (..., 3)."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    return keypoint @ rotation.T + rng.normal(size=3)


@pytest.mark.parametrize(
    ('name', 'missing'),
    [
        *((name, 'none') for name in LAYOUTS),
        # Without shoulders those have no line up the body.
        *((name, 'shoulders') for name in LAYOUTS if LAYOUTS[name].spine),
    ],
)
def test_full_alignment_undoes_any_rotation(name, missing):
    layout, clip = get_layout(name), random_clip(name)
    ends = [list(layout.hips), list(layout.shoulders)]
    if layout.spine:
        ends = [[joint] for joint in layout.spine]
    # As in PreNormalize3D, turning the shoulders tilts the spine if they are not level.
    # With the same line across, the middles of two pairs are as far apart as their
    # right joints.
    bottom, top = (joints[0] for joints in ends)
    spine = clip[:, :, top] - clip[:, :, bottom]
    across = np.cross(spine, clip[:, :, layout.shoulders[0]])
    for right, left in (layout.shoulders, layout.hips):
        clip[:, :, left] = clip[:, :, right] + across
    if missing == 'shoulders':
        clip[:, :, layout.shoulders] = 0
    dropped = ~clip.any(axis=-1)
    moved = np.where(dropped[..., None], 0, turned(clip, seed=1)).astype(np.float32)
    align = AlignSkeleton(layout, rotate='full')
    out = apply(align, clip)['keypoint']
    np.testing.assert_allclose(apply(align, moved)['keypoint'], out, atol=1e-4)
    # In the reference frame the spine points along +z, right - left along +x.
    pose = out[0, 0]
    bottom, top = (pose[joints].mean(axis=0) for joints in ends)
    spine = top - bottom
    assert spine[:2] == pytest.approx(0, abs=1e-5)
    assert spine[2] > 0.1
    right, left = layout.hips if missing == 'shoulders' else layout.shoulders
    line = pose[right] - pose[left]
    assert line[1:] == pytest.approx(0, abs=1e-5)
    assert line[0] > 0.1
    assert pose[layout.center] == pytest.approx(0, abs=1e-6)


@layouts
@pytest.mark.parametrize('missing', ['none', 'shoulders'])
def test_vertical_alignment_faces_the_line_of_shoulders_or_hips(layout, missing):
    clip = random_clip(layout)
    layout = get_layout(layout)
    if missing == 'shoulders':
        clip[:, :, layout.shoulders] = 0
    pose = apply(AlignSkeleton(layout), clip)['keypoint'][0, 0]
    right, left = layout.hips if missing == 'shoulders' else layout.shoulders
    line = pose[left] - pose[right]
    assert line[2] == pytest.approx(0, abs=1e-5)
    assert line[0] > 0.05
    # Up stays up.
    assert line[1] == pytest.approx(
        clip[0, 0, left, 1] - clip[0, 0, right, 1], abs=1e-5
    )


# SkeletonStream -----------------------------------------------------------------------

# x of hand, shoulder, pelvis, left hand in three frames; y is 10 x.
TINY_X = np.float32([[9, 5, 3, 4], [8, 5, 2, 4], [8, 7, 1, 1]])
TINY_CLIP = np.stack([TINY_X, 10 * TINY_X], axis=-1)[None]
TINY_SCORE = np.float32([[[0.2, 0.4, 0.8, 0.6]] * 2 + [[0.4, 0.4, 0.8, 0.6]]])


@pytest.mark.parametrize(
    ('stream', 'x', 'score'),
    [
        ('joint', TINY_X, TINY_SCORE[0]),
        (
            'bone',
            [[4, 2, 0, 1], [3, 3, 0, 2], [1, 6, 0, 0]],
            [[0.3, 0.6, 0.8, 0.7]] * 2 + [[0.4, 0.6, 0.8, 0.7]],
        ),
        (
            'joint_motion',
            [[-1, 0, -1, 0], [0, 2, -1, -3], [0] * 4],
            [[0.2, 0.4, 0.8, 0.6], [0.3, 0.4, 0.8, 0.6], [0] * 4],
        ),
        (
            'bone_motion',
            [[-1, 1, 0, 1], [-2, 3, 0, -2], [0] * 4],
            [[0.3, 0.6, 0.8, 0.7], [0.35, 0.6, 0.8, 0.7], [0] * 4],
        ),
    ],
)
def test_streams_by_hand(stream, x, score):
    out = apply(SkeletonStream(TINY, stream), TINY_CLIP, TINY_SCORE)
    np.testing.assert_allclose(out['keypoint'][0, ..., 0], x)
    np.testing.assert_allclose(out['keypoint'][0, ..., 1], 10 * np.float32(x))
    np.testing.assert_allclose(out['keypoint_score'][0], score, rtol=1e-6)
    # Scores are no condition.
    alone = apply(SkeletonStream(TINY, stream), TINY_CLIP)
    assert np.array_equal(alone['keypoint'], out['keypoint'])
    assert 'keypoint_score' not in alone


@pytest.mark.parametrize(
    'stream, feat',
    [('joint', 'j'), ('bone', 'b'), ('joint_motion', 'jm'), ('bone_motion', 'bm')],
)
@pytest.mark.parametrize('layout', ['nturgb+d', 'coco', 'openpose'])
def test_streams_equal_the_stock_ones(stream, feat, layout):
    clip = random_clip(layout, channels=3 if layout == 'nturgb+d' else 2)
    results = dict(keypoint=clip)
    if layout != 'nturgb+d':
        rng = np.random.default_rng(1)
        results['keypoint_score'] = rng.uniform(size=clip.shape[:3]).astype(np.float32)
    stock = TRANSFORMS.build(dict(type='GenSkeFeat', dataset=layout, feats=[feat]))
    ours = TRANSFORMS.build(dict(type='SkeletonStream', layout=layout, stream=stream))
    form = TRANSFORMS.build(dict(type='FormatGCNInput', num_person=2))
    expected = form(stock(dict(results)))['keypoint']
    assert expected.shape[-1] == 3
    assert np.array_equal(form(ours(dict(results)))['keypoint'], expected)


@layouts
def test_bones_follow_the_body(layout):
    """A joint far away moves its own bone and those of its children alone."""
    clip, layout = random_clip(layout), get_layout(layout)
    moved = clip.copy()
    moved[:, :, layout.center] += 100
    bone = SkeletonStream(layout, 'bone')
    changed = apply(bone, moved)['keypoint'] - apply(bone, clip)['keypoint']
    changed = {j for j in range(layout.num_joints) if changed[:, :, j].any()}
    hung_on = {
        joint
        for joint, parent in enumerate(bone.parents)
        if layout.center in (joint, parent) and joint != parent
    }
    assert changed == hung_on != set()
    if layout.name not in ('nturgb+d', 'coco', 'openpose'):
        assert {(c, bone.parents[c]) for c, _ in layout.edges} == set(layout.edges)
        assert sum(bone.parents == np.arange(layout.num_joints)) == 1


def test_what_was_not_measured_has_no_bone_and_no_motion():
    clip, score = TINY_CLIP.copy(), TINY_SCORE.copy()
    clip[0, 1, 1] = 0  # the shoulder in the second frame
    bone = apply(SkeletonStream(TINY, 'bone'), clip, score)
    x = [[4, 2, 0, 1], [0, 0, 0, 2], [1, 6, 0, 0]]
    assert bone['keypoint'][0, ..., 0].tolist() == x
    assert not bone['keypoint_score'][0, 1, :2].any()
    motion = apply(SkeletonStream(TINY, 'joint_motion'), clip, score)
    x = [[-1, 0, -1, 0], [0, 0, -1, -3], [0] * 4]
    assert motion['keypoint'][0, ..., 0].tolist() == x
    assert motion['keypoint_score'][0, :2, 1].tolist() == [0, 0]
    motion = apply(SkeletonStream(TINY, 'bone_motion'), clip, score)
    x = [[0, 0, 0, 1], [0, 0, 0, -2], [0] * 4]
    assert motion['keypoint'][0, ..., 0].tolist() == x


def test_the_motion_of_a_measured_bone_of_length_zero_counts():
    clip = TINY_CLIP.copy()
    clip[0, 1, 0] = clip[0, 1, 1]  # hand on the shoulder: the bone is 4, 0, 1 long
    out = apply(SkeletonStream(TINY, 'bone_motion'), clip)['keypoint']
    assert out[0, :, 0, 0].tolist() == [-4, 1, 0]


@layouts
def test_bones_of_relative_joints_are_those_of_absolute_ones(layout):
    clip = random_clip(layout)
    clip[:, :2] = 0  # the persons come later
    root = get_layout(layout).center
    relative = clip - clip[:, :, [root]]
    score = np.ones(clip.shape[:3], dtype=np.float32)
    for stream in ('bone', 'bone_motion'):
        transform = SkeletonStream(layout, stream)
        for scores in (None, score):
            bones = apply(transform, clip, scores)['keypoint']
            found = apply(transform, relative, scores)['keypoint']
            np.testing.assert_allclose(found, bones, atol=1e-6)
    # A detector that never found it says so by its score.
    score[:, :, root] = 0
    hung = transform.parents == root
    bones = apply(SkeletonStream(layout, 'bone'), relative, score)['keypoint']
    assert hung.any() and not bones[:, :, hung].any() and bones.any()


@pytest.mark.parametrize('stream', STREAMS)
def test_an_absent_person_stays_absent(stream):
    clip = random_clip('sbu')
    clip[1] = 0
    out = apply(SkeletonStream('sbu', stream), clip)['keypoint']
    assert out[0].any() and not out[1].any()


def test_motion_does_not_cross_clips():
    clip = random_clip('sbu', frames=6)
    out = apply(SkeletonStream('sbu', 'joint_motion'), clip, num_clips=2)['keypoint']
    for first in (0, 3):
        part = clip[:, first : first + 3]
        alone = apply(SkeletonStream('sbu', 'joint_motion'), part)['keypoint']
        assert np.array_equal(out[:, first : first + 3], alone)
    with pytest.raises(ValueError, match='num_clips=4 of a clip'):
        apply(SkeletonStream('sbu', 'joint_motion'), clip, num_clips=4)


def test_a_single_frame_has_no_motion():
    out = apply(SkeletonStream('sbu', 'joint_motion'), random_clip('sbu', frames=1))
    assert not out['keypoint'].any()


def test_unknown_stream_is_an_error():
    with pytest.raises(ValueError, match="stream='motion' must be one of"):
        SkeletonStream('sbu', 'motion')


# SkeletonFlip -------------------------------------------------------------------------


def test_mirror_by_hand():
    clip = TINY_CLIP.copy()
    clip[0, 1, 0] = 0
    out = apply(SkeletonFlip(TINY, prob=1), clip, TINY_SCORE)
    # The left hand is now what the right was: about x = 0, without an image.
    x = [[-4, -5, -3, -9], [-4, -5, -2, 0], [-1, -7, -1, -8]]
    assert out['keypoint'][0, ..., 0].tolist() == x
    y = [[40, 50, 30, 90], [40, 50, 20, 0], [10, 70, 10, 80]]
    assert out['keypoint'][0, ..., 1].tolist() == y
    assert np.array_equal(out['keypoint_score'], TINY_SCORE[..., [3, 1, 2, 0]])


@pytest.mark.parametrize('layout', ['coco', 'openpose'])
def test_pixels_are_mirrored_as_by_the_stock_flip(layout):
    rng = np.random.default_rng(0)
    clip = rng.uniform(1, 99, random_clip(layout, channels=2).shape).astype(np.float32)
    clip[1, 2:4] = clip[0, 1, 5] = 0
    score = rng.uniform(size=clip.shape[:3]).astype(np.float32)
    left, right = np.transpose(get_layout(layout).left_right)
    stock = TRANSFORMS.build(
        dict(type='Flip', flip_ratio=1, left_kp=left, right_kp=right)
    )
    results = dict(img_shape=(50, 100), modality='Pose')
    expected = stock(dict(results, keypoint=clip.copy(), keypoint_score=score))
    out = apply(SkeletonFlip(layout, prob=1), clip, score, **results)
    assert np.array_equal(out['keypoint'], expected['keypoint'])
    assert np.array_equal(out['keypoint_score'], expected['keypoint_score'])


@layouts
@pytest.mark.parametrize('img_shape', [{}, dict(img_shape=(50, 100))])
def test_mirrored_twice_is_the_same(layout, img_shape):
    clip = random_clip(layout, channels=2)
    clip[0, 2, 1] = 0
    flip = SkeletonFlip(layout, prob=1)
    once = apply(flip, clip, **img_shape)['keypoint']
    assert np.abs(once - clip).max() > 1
    assert (~once.any(axis=-1)).sum() == 1
    twice = apply(flip, once, **img_shape)['keypoint']
    np.testing.assert_allclose(twice, clip, atol=1e-5)


def test_the_image_of_3d_data_is_ignored():
    clip = random_clip('sbu')
    out = apply(SkeletonFlip('sbu', prob=1), clip, img_shape=(480, 640))['keypoint']
    assert np.array_equal(out[:, :, 0, 0], -clip[:, :, 0, 0])


def test_mirror_of_aligned_bodies_keeps_their_direction():
    align = AlignSkeleton('sbu', center='clip')
    out = apply(
        SkeletonFlip('sbu', prob=1), apply(align, random_clip('sbu'))['keypoint']
    )
    again = apply(align, out['keypoint'])['keypoint']
    np.testing.assert_allclose(again, out['keypoint'], atol=1e-5)


def test_share_of_mirror_images():
    np.random.seed(0)
    clip = random_clip('sbu', 1, 1)
    for prob, low, high in ((0, 0, 0), (0.25, 30, 70), (1, 200, 200)):
        flip = SkeletonFlip('sbu', prob)
        count = sum(
            not np.array_equal(apply(flip, clip)['keypoint'], clip) for _ in range(200)
        )
        assert low <= count <= high
    assert SkeletonFlip('sbu').prob == 0.5


def test_what_is_not_in_pixels_is_an_error():
    image, flip = dict(img_shape=(50, 100)), SkeletonFlip('coco', prob=0)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(20, 80, (1, 3, 17, 2)).astype(np.float32)
    apply(flip, pixels, **image)
    apply(flip, np.zeros_like(pixels), **image)
    walk = pixels - pixels[:, :1, :1] + 2  # about a joint, and a little to the right
    for wrong in (
        pixels / 50 - 1,
        pixels - pixels[..., :1, :].max(),
        pixels + 100,
        walk,
    ):
        with pytest.raises(ValueError, match='a clip has an img_shape of width 100'):
            apply(flip, wrong, **image)


def test_a_layout_without_sides_is_not_mirrored():
    joints = ['neck', 'lhip', 'rhip']
    with pytest.raises(ValueError, match='has no pairs of left and right joints'):
        SkeletonFlip(dict(name='x', joints=joints, edges=[(1, 0), (2, 0)]))


@pytest.mark.parametrize('prob', [-0.1, 1.1])
def test_probability_out_of_range_is_an_error(prob):
    with pytest.raises(ValueError, match=f'prob={prob}'):
        SkeletonFlip('sbu', prob)


# MapSkeleton --------------------------------------------------------------------------


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_map_by_hand(channels):
    clip = random_clip('coco', channels=channels)
    out = apply(MapSkeleton('coco', 'kinect_v1'), clip, clip[..., 0])
    keypoint = out['keypoint']
    assert keypoint.shape == (2, 6, 20, channels)
    hips, shoulders = clip[:, :, 11:13].mean(axis=2), clip[:, :, 5:7].mean(axis=2)
    for joint, expected in (
        ('hip_center', hips),
        ('shoulder_center', shoulders),
        ('spine', (hips + shoulders) / 2),
    ):
        made = keypoint[:, :, get_layout('kinect_v1').joints.index(joint)]
        np.testing.assert_allclose(made, expected, rtol=1e-5)
    # Nose for head, wrist for hand; a joint that is the same is so bit for bit.
    same = [(3, 0), (4, 5), (7, 9), (8, 6), (12, 11), (19, 16)]
    for new, old in same:
        assert np.array_equal(keypoint[:, :, new], clip[:, :, old])
    np.testing.assert_allclose(out['keypoint_score'], keypoint[..., 0])


@pytest.mark.parametrize(
    'other', ['kinect_v1_utd_mhad', 'kinect_v1_msr_action3d', 'nturgb+d']
)
def test_map_there_and_back_is_exact(other):
    clip = random_clip('kinect_v1')
    clip[0, 3] = clip[1, 1, 7] = 0
    there = apply(MapSkeleton('kinect_v1', other), clip)['keypoint']
    back = apply(MapSkeleton(other, 'kinect_v1'), there)['keypoint']
    assert np.array_equal(back, clip)


def test_what_was_not_measured_is_not_made_up():
    clip, score = random_clip('coco', persons=3), np.ones((3, 6, 17), dtype=np.float32)
    clip[0, 0, 11] = 0  # the left hip
    clip[0, 1, 9] = 0  # the left wrist
    clip[1] = 0
    out = apply(MapSkeleton('coco', 'kinect_v1'), clip, score)
    zero = ~out['keypoint'].any(axis=-1)
    joints = np.array(get_layout('kinect_v1').joints)
    assert set(joints[zero[0, 0]]) == {'hip_center', 'spine', 'left_hip'}
    assert set(joints[zero[0, 1]]) == {'left_wrist', 'left_hand'}
    assert zero[1].all() and not zero[2].any() and not zero[0, 2:].any()
    assert np.array_equal(out['keypoint_score'] == 0, zero)


def test_relative_joints_are_mapped_as_absolute_ones():
    clip = random_clip('openpose_body25')
    clip[1, 3] = 0
    root = clip[:, :, [get_layout('openpose_body25').center]]
    transform = MapSkeleton('openpose_body25', 'nturgb+d')
    mapped = apply(transform, clip)['keypoint'] - root
    found = apply(transform, clip - root)['keypoint']
    np.testing.assert_allclose(found, mapped, atol=1e-6)
    assert found[0, :, NTU.joints.index('spine_mid')].any(axis=-1).all()


def test_a_root_that_was_never_found_is_not_mapped():
    clip = random_clip('openpose_body25')
    center = get_layout('openpose_body25').center
    relative, score = clip - clip[:, :, [center]], np.ones(clip.shape[:3], np.float32)
    score[:, :, center] = 0
    transform = MapSkeleton('openpose_body25', 'nturgb+d')
    found = apply(transform, relative, score)['keypoint_score']
    made_of_it = transform.weights[:, center] > 0
    assert made_of_it.any()
    assert np.array_equal(found[0, 0] == 0, made_of_it)


def test_a_mapped_clip_is_taken_by_what_follows():
    results = dict(keypoint=random_clip('nturgb+d'))
    for config in (
        dict(type='MapSkeleton', source='nturgb+d', target='sbu'),
        dict(type='AlignSkeleton', layout='sbu'),
        dict(type='SkeletonFlip', layout='sbu'),
        dict(type='SkeletonStream', layout='sbu', stream='bone'),
        dict(type='TemporalCropResize', clip_len=8),
    ):
        results = TRANSFORMS.build(config)(results)
    assert results['keypoint'].shape == (2, 8, 15, 3)


# All ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'transform',
    [SkeletonStream('coco'), SkeletonFlip('coco'), MapSkeleton('coco', 'sbu')],
    ids=repr,
)
def test_input_that_does_not_fit_is_an_error(transform):
    with pytest.raises(ValueError, match="V=15 joints, but layout 'coco' has 17"):
        apply(transform, random_clip('sbu'))
    clip = random_clip('coco', channels=2)
    with pytest.raises(
        ValueError, match=r'keypoint_score of a clip has shape \(2, 6\)'
    ):
        apply(transform, clip, clip[:, :, 0, 0])
    with pytest.raises(ValueError, match='before FormatGCNInput'):
        apply(transform, clip[0])
