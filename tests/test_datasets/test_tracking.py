"""Persons are followed by their poses."""

import importlib.util

import numpy as np
import pytest

from fdmae_mm.datasets.tracking import Track, choose, likeness, link

SQUARE = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)


def pose(x=0.0, y=0.0):
    return SQUARE + np.array([x, y], np.float32)


def frame(*poses):
    """Joints and scores of the persons in a frame."""
    return np.stack(poses), np.ones((len(poses), 4), np.float32)


EMPTY = np.zeros((0, 4, 2), np.float32), np.zeros((0, 4), np.float32)


def alike(now, score=1.0, gap=1):
    ones = np.ones((1, 4), np.float32)
    return likeness(pose()[None], ones, now[None], ones * score, gap).item()


def test_likeness_is_the_bell_curve_of_the_distance():
    # Sides of 10, spread of 0.2: 2 pixels are one standard deviation.
    assert alike(pose()) == 1
    assert alike(pose(2)) == pytest.approx(np.exp(-1 / 2))
    assert alike(pose(0, 4)) == pytest.approx(np.exp(-4 / 2))
    # After four frames it is twice as wide.
    assert alike(pose(0, 4), gap=4) == pytest.approx(np.exp(-1 / 2))


def test_likeness_is_that_of_the_joints_that_both_have():
    moved = pose(0, 2)
    moved[3] = [0, 0]  # where a joint that was not found is
    score = np.array([1, 1, 1, 0])
    # The box of three joints, and its mean with the whole one, has sides of 10 too.
    assert alike(moved, score) == pytest.approx(np.exp(-1 / 2))
    assert alike(moved, np.zeros(4)) == 0


def test_likeness_weighs_joints_by_score():
    moved = pose()
    moved[3] += [0, 1000]
    size = (100 + (10**2 + 1010**2) / 2) / 2
    far = np.exp(-(1000**2) / (2 * 0.04 * size))
    expected = (3 + 0.5 * far) / 3.5
    assert alike(moved, np.array([1, 1, 1, 0.5])) == pytest.approx(expected)


def test_size_is_that_of_both_boxes():
    # Squares of the sides, 10 and 10, and 0 and 10: 100 and 50 in the mean.
    found = alike(pose(0, 2), np.array([1, 0, 1, 0]))
    assert found == pytest.approx(np.exp(-4 / (2 * 0.04 * 75)))


def test_likeness_is_the_same_from_either_side():
    moved, score = pose(1)[None], np.array([[1, 0.5, 1, 0]])
    moved[0, 0] += [3, 0]
    one, other = (pose()[None], np.ones((1, 4))), (moved, score)
    assert likeness(*one, *other) == pytest.approx(likeness(*other, *one))


@pytest.mark.skipif(
    importlib.util.find_spec('mmpose') is None, reason='mmpose is not installed'
)
def test_likeness_is_the_oks_of_mmpose_of_one_sigma():
    from fdmae_mm import compat

    compat.require_mmpose()
    from mmpose.evaluation.functional.nms import oks_iou

    def with_score(keypoint):
        return np.column_stack([keypoint, np.ones(4)]).ravel()

    now = np.stack([pose(1, 2), pose(-3, 1)])
    theirs = oks_iou(
        with_score(pose()),
        np.stack([with_score(each) for each in now]),
        a_g=100.0,
        a_d=np.array([100.0, 100.0]),
        sigmas=np.full(4, 0.1),
    )
    ones = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(
        likeness(pose()[None], ones[:1], now, ones)[0], theirs, rtol=1e-5
    )


def places(track):
    """Frame and x of the first joint."""
    return [
        (f, float(k[0, 0])) for f, k in zip(track.frames, track.keypoint, strict=True)
    ]


def test_order_of_the_detections_does_not_matter():
    tracks = link([frame(pose(0), pose(50)), frame(pose(51), pose(1))])
    assert [places(track) for track in tracks] == [[(0, 0), (1, 1)], [(0, 50), (1, 51)]]


def test_pairs_are_the_best_together_and_not_one_by_one():
    # Who is at 2 now is nearest to who was at 3, but then 4 would be left for 0.
    tracks = link([frame(pose(0), pose(3)), frame(pose(2), pose(4))])
    assert [places(track) for track in tracks] == [[(0, 0), (1, 2)], [(0, 3), (1, 4)]]


def test_crossing_persons_keep_going():
    """They are alike, at one place in frame 10, and listed the other way after it."""
    clip = [frame(*[pose(t), pose(20 - t)][:: 1 if t < 11 else -1]) for t in range(21)]
    tracks = link(clip)
    assert [places(track) for track in tracks] == [
        [(t, t) for t in range(21)],
        [(t, 20 - t) for t in range(21)],
    ]


def test_who_is_far_from_everybody_is_new():
    # 6 pixels are three standard deviations.
    tracks = link([frame(pose(0)), frame(pose(6))])
    assert [places(track) for track in tracks] == [[(0, 0)], [(1, 6)]]


@pytest.mark.parametrize(('max_gap', 'found'), [(9, 2), (10, 1)])
def test_lost_person_is_found_again_within_the_gap(max_gap, found):
    """Ten frames without anyone, in which the person walks on."""
    clip = [frame(pose(2 * t)) if t < 5 or t >= 15 else EMPTY for t in range(20)]
    tracks = link(clip, max_gap)
    assert len(tracks) == found
    seen = [t for t in range(20) if t < 5 or t >= 15]
    assert [each for track in tracks for each in places(track)] == [
        (t, 2 * t) for t in seen
    ]


def test_passer_by_takes_no_lost_identity_far_away():
    clip = [frame(pose(0), pose(200)), frame(pose(0)), frame(pose(0), pose(60))]
    assert [track.frames for track in link(clip)] == [[0, 1, 2], [0], [2]]


@pytest.mark.parametrize('doubled', [[20], [20, 21, 22]])
def test_a_box_given_twice_does_not_split_a_person(doubled):
    rng = np.random.default_rng(0)

    def body():
        return pose() + rng.normal(scale=0.3, size=(4, 2)).astype(np.float32)

    clip = [frame(*(body() for _ in range(1 + (t in doubled)))) for t in range(100)]
    tracks = link(clip)
    # Each goes on without a hole, so that nobody alternates between two halves.
    assert len(tracks) == 2
    for track in tracks:
        assert track.frames == list(range(track.frames[0], track.frames[-1] + 1))


def test_two_real_persons_who_fight_and_hug_are_told_apart(real_annotation):
    """SBU, both in any order, and each not found in a tenth of the frames."""
    rng = np.random.default_rng(0)
    mistakes = 0
    for sample in real_annotation('sbu')['annotations']:
        keypoint = sample['keypoint']  # (2, T, V, 3)
        there = keypoint.any((2, 3)) & (rng.random(keypoint.shape[:2]) > 0.1)
        who = [rng.permutation(np.flatnonzero(now)) for now in there.T]
        poses = (keypoint[found, t] for t, found in enumerate(who))
        for track in link((pose, np.ones(pose.shape[:2])) for pose in poses):
            seen = [who[t][i] for t, i in zip(track.frames, track.persons, strict=True)]
            mistakes += np.count_nonzero(np.diff(seen))
    assert mistakes <= 4  # of 6,822 frames


def test_nobody_at_all():
    assert link([EMPTY, EMPTY]) == []
    assert link([]) == []


def make_track(poses, start=0, score=1.0):
    track = Track()
    for t, each in enumerate(poses, start):
        track.append(t, 0, each, np.full(4, score, np.float32))
    return track


def wave(t):
    """One joint goes up and down."""
    moved = pose()
    moved[3] += [0, 4 * (t % 2)]
    return moved


def test_persons_are_ordered_by_presence_score_and_movement():
    still, moving = make_track([pose()] * 10), make_track(map(wave, range(10)))
    unsure = make_track([pose()] * 10, score=0.5)
    walking = make_track([pose(5 * t) for t in range(8)])
    short = make_track([pose()] * 4)
    given = [short, unsure, walking, still, moving]
    assert choose(given, 9, min_frames=5) == [moving, still, walking, unsure]
    assert choose(given, 1, min_frames=5) == [moving]
    assert choose(given, 9, min_frames=4)[-1] is short
    assert choose([short], 2, min_frames=5) == []


def test_speed_is_the_mean_of_the_last_and_that_before():
    """Of the joints that both frames have: where one was not found it is at 0."""
    track, three, four = Track(), np.array([1, 1, 1, 0]), np.ones(4)
    for frame, moved, score in ((0, 0, three), (1, 1, four), (3, 7, three)):
        track.append(frame, 0, pose(moved) * (score > 0)[:, None], score)
    # One pixel a frame, and three over two frames.
    assert track.velocity.tolist() == [2, 0]
    assert track.predict(5)[0].tolist() == [7 + 2 * 2, 0]


def test_importance_by_hand():
    """On a line: two joints at both ends, and two about the middle in half the frames.

    The ends are 4 apart and then 8, each joint is 1 and then 3, or 2 and then 4, from
    the middle of those that are there: a deviation of 1, and of the size a share of
    1 / sqrt((4^2 + 8^2) / 2).
    """
    track = Track()
    for t, joints in enumerate(
        ([100, 104, 101, 103], [100, 104, 0, 0], [100, 108, 101, 107], [100, 108, 0, 0])
    ):
        joints = np.array(joints, np.float32)[:, None]
        track.append(t, 0, joints, (joints[:, 0] > 0).astype(np.float32))
    score = 3 * (1 + 1 / 40**0.5) / 4  # present in the mean: 1, 1/2, 1, 1/2
    less, more = (make_track([pose()] * 4, score=score + d) for d in (-0.01, 0.01))
    assert choose([less, track, more], 3, min_frames=1) == [more, track, less]
