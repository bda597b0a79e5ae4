import re
from functools import partial

import numpy as np
import pytest

from fdmae_mm.datasets import synthetic
from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.datasets.synthetic import (
    ACTIONS,
    CLAP_HERTZ,
    FRAMES,
    SPEED,
    SQUAT_HERTZ,
    TEMPO,
    WAVE_HERTZ,
    Subject,
    Take,
    make_synthetic,
)

NAME = re.compile(r'S001C(\d{3})P(\d{3})R(\d{3})A(\d{3})')


def take(seed, num_frames=80):
    """A take whose randomness depends on the seed alone."""
    subject = Subject.draw(np.random.default_rng([seed, 0]))
    return Take(subject, num_frames, np.random.default_rng([seed, 1]))


def by_name(annotation):
    return {a['frame_dir']: a for a in annotation['annotations']}


def test_every_action_subject_and_camera(synthetic_annotation):
    samples = synthetic_annotation['annotations']
    assert len(samples) == len(ACTIONS) * 3 * 3
    assert len(by_name(synthetic_annotation)) == len(samples)
    for sample in samples:
        camera, person, _, action = map(
            int, NAME.fullmatch(sample['frame_dir']).groups()
        )
        assert sample['label'] == action - 1
        assert (sample['subject'], sample['view']) == (person, camera)


def test_arrays(synthetic_annotation):
    for sample in synthetic_annotation['annotations']:
        keypoint = sample['keypoint']
        persons, num_frames = ACTIONS[sample['label']].persons, sample['total_frames']
        assert keypoint.shape == (persons, num_frames, 25, 3)
        assert keypoint.dtype == np.float32
        assert np.isfinite(keypoint).all()
        assert FRAMES[0] <= num_frames <= FRAMES[1]
        seen = keypoint[(keypoint != 0).any(axis=-1)]
        assert 0.5 < seen[:, 2].min() and seen[:, 2].max() < 6.5
    lengths = {s['total_frames'] for s in synthetic_annotation['annotations']}
    assert len(lengths) > 20


def test_metainfo(synthetic_annotation):
    metainfo = synthetic_annotation['metainfo']
    assert get_layout(metainfo['layout']).num_joints == 25
    assert len(metainfo['classes']) == len(set(metainfo['classes'])) == len(ACTIONS)
    assert {action.persons for action in ACTIONS} == {1, 2}


def test_splits(synthetic_annotation):
    samples, split = by_name(synthetic_annotation), synthetic_annotation['split']
    for protocol, key in (('xsub', 'subject'), ('xview', 'view')):
        train, val = split[f'{protocol}_train'], split[f'{protocol}_val']
        assert len(train) + len(val) == len(set(train) | set(val)) == len(samples)
        kept, held_out = ({samples[n][key] for n in names} for names in (train, val))
        assert kept.isdisjoint(held_out)
    assert {samples[n]['view'] for n in split['xview_val']} == {1}
    assert {samples[n]['subject'] for n in split['xsub_val']} == {3}


def test_more_samples_change_none(synthetic_annotation):
    larger = by_name(make_synthetic(num_subjects=4, repetitions=1))
    for name, sample in by_name(synthetic_annotation).items():
        assert np.array_equal(sample['keypoint'], larger[name]['keypoint'])


def test_seed_changes_every_sample(synthetic_annotation):
    other = by_name(make_synthetic(seed=1, num_subjects=3, repetitions=1))
    for name, sample in by_name(synthetic_annotation).items():
        assert not np.array_equal(sample['keypoint'], other[name]['keypoint'])


@pytest.mark.parametrize('number', [2, 1000])
def test_wrong_number_of_subjects(number):
    with pytest.raises(ValueError, match=f'num_subjects={number}'):
        make_synthetic(num_subjects=number)


def test_wrong_number_of_repetitions():
    with pytest.raises(ValueError, match='repetitions=0'):
        make_synthetic(repetitions=0)


@pytest.mark.parametrize('hertz', [WAVE_HERTZ, CLAP_HERTZ, SQUAT_HERTZ])
def test_tempo_pairs_do_not_overlap_after_a_resize(hertz):
    slowest, fastest = SPEED[0] * TEMPO[0], SPEED[1] * TEMPO[1]
    cycles_of_slow = hertz[0] * fastest * FRAMES[1]
    cycles_of_fast = hertz[1] * slowest * FRAMES[0]
    assert cycles_of_slow < cycles_of_fast


@pytest.mark.parametrize(
    ('act', 'hertz', 'moved'),
    [
        (synthetic._wave, WAVE_HERTZ, {'arms'}),
        (synthetic._clap, CLAP_HERTZ, {'arms'}),
        (synthetic._squat, SQUAT_HERTZ, {'legs', 'lean'}),
    ],
)
def test_tempo_pairs_differ_in_tempo_only(act, hertz, moved):
    for seed in range(5):
        slow, fast = (act(take(seed), hertz=h) for h in hertz)
        for field, value in vars(slow).items():
            if field not in moved:
                assert np.array_equal(value, getattr(fast, field)), field
    slow, fast = (
        np.concatenate(
            [getattr(act(take(s), hertz=h), min(moved)).ravel() for s in range(60)]
        )
        for h in hertz
    )
    assert np.std(slow) == pytest.approx(np.std(fast), rel=0.05)


def turns_of(signal):
    """How often a signal crosses its mean, in both directions."""
    return np.count_nonzero(np.diff(np.sign(signal - signal.mean())))


def test_fast_wave_swings_more_often():
    counts = []
    for hertz in WAVE_HERTZ:
        performance = take(3)
        performance.envelope = partial(np.ones, 80)
        pose = synthetic._wave(performance, hertz=hertz)
        counts.append(turns_of(pose.arms[:, performance.side, 3]))
    seconds = 80 / synthetic.FPS
    expected = [2 * h * performance.speed * seconds for h in WAVE_HERTZ]
    assert counts == pytest.approx(expected, abs=1.5)


def hand_path(act, seed=0, **kwargs):
    performance = take(seed)
    pose = act(performance, **kwargs)
    for field in ('yaw', 'lean', 'bend', 'twist'):
        getattr(pose, field)[:] = 0
    joints = synthetic.move(performance.subject.bones, pose)
    hand, shoulder = ((11, 8), (7, 4))[performance.side == synthetic.LEFT]
    return joints[:, hand] - joints[:, shoulder]


@pytest.mark.parametrize(('direction', 'sign'), [(-1, -1), (1, 1)])
def test_arm_circles_forwards_and_backwards(direction, sign):
    path = hand_path(synthetic._circle_arm, direction=direction)
    top = path[1:, 1] > 0.4
    assert top.any()
    moves = np.diff(path[:, 2])[top]  # z points backwards
    assert (np.sign(moves) == sign).mean() > 0.9


def test_stirring_turns_the_other_way():
    area = []
    for direction in (1, -1):
        path = hand_path(synthetic._stir, seed=1, direction=direction)[25:55]
        x, y = (path - path.mean(axis=0))[:, :2].T
        area.append(np.sum(x[:-1] * np.diff(y) - y[:-1] * np.diff(x)))
    assert area[0] * area[1] < 0


@pytest.mark.parametrize('seed', range(5))
def test_sitting_down_is_standing_up_backwards(seed):
    heights = []
    for down in (True, False):
        performance = take(seed)
        pose = synthetic._seat(performance, down=down)
        heights.append(synthetic.move(performance.subject.bones, pose)[:, 0, 1])
    down, up = heights
    assert down[0] - down[-1] > 0.25
    assert up[-1] - up[0] > 0.25


@pytest.mark.parametrize('direction', [-1, 1])
@pytest.mark.parametrize('seed', range(5))
def test_step_goes_to_its_side(direction, seed):
    performance = take(seed)
    pose = synthetic._step(performance, direction=direction)
    path = synthetic.move(performance.subject.bones, pose)[:, 0, 0]
    assert (path[-1] - path[0]) * direction > 0.2


@pytest.mark.parametrize('closer', [True, False])
def test_walking_changes_the_distance(closer):
    first, second = take(0), take(1)
    poses = synthetic._walk(first, second, closer=closer)
    apart = np.abs(poses[0].travel[:, 0] - poses[1].travel[:, 0])
    assert (apart[0] - apart[-1]) * (1 if closer else -1) > 0.7
    assert apart.min() > 0.6


def test_hands_meet_in_a_handshake():
    for seed in range(5):
        takes = take(seed), take(seed + 100)
        poses = synthetic._shake_hands(*takes)
        hands = [
            synthetic.move(t.subject.bones, pose)[:, 11]
            for t, pose in zip(takes, poses, strict=True)
        ]
        distance = np.linalg.norm(hands[0] - hands[1], axis=-1)
        assert distance.min() < 0.2


def test_bodies_stand_on_the_floor():
    for label, action in enumerate(ACTIONS):
        rng = np.random.default_rng(label)
        bodies = synthetic._perform(action, Subject.draw(rng), rng)
        assert len(bodies) == action.persons
        assert np.allclose(bodies[..., 1].min(axis=-1), 0)
        assert bodies[:, :, 3, 1].max() < 2


def test_cameras_see_the_body_from_their_side():
    body = np.zeros((1, 60, 25, 3))
    body[:, :, 8, 0], body[:, :, 4, 0] = 1, -1  # a shoulder line of two metres
    yaw = {}
    for camera in (1, 2, 3):
        seen = synthetic._film(body, camera, np.random.default_rng(0))[0]
        line = (seen[:, 8] - seen[:, 4]).mean(axis=0)
        yaw[camera] = np.rad2deg(np.arctan2(-line[2], line[0]))
    assert yaw == pytest.approx({1: 0, 2: 45, 3: -45}, abs=7)


def test_noise_is_of_a_sensor():
    body = np.ones((1, 100, 25, 3))
    seen = synthetic._film(body, 1, np.random.default_rng(0))[0]
    spread = seen[:, [0, 1, 20]].std(axis=0)
    assert 0.004 < spread.mean() < 0.03


def test_lost_joints_are_exact_zeros_in_stretches(synthetic_annotation):
    lost_any, trunk = 0, [0, 1, 2, 4, 8, 12, 16, 20]
    for sample in synthetic_annotation['annotations']:
        lost = (sample['keypoint'] == 0).all(axis=-1)
        assert not (sample['keypoint'] == 0)[~lost].any()
        assert not lost[..., trunk].any()
        lost_any += lost.any()
        assert lost.mean() < 0.15
    assert 0.3 < lost_any / len(synthetic_annotation['annotations']) < 0.9


def test_raw_coordinates_do_not_solve_the_cross_view_split(synthetic_annotation):
    samples, split = by_name(synthetic_annotation), synthetic_annotation['split']

    def features(name):
        keypoint = samples[name]['keypoint'] - samples[name]['keypoint'][:1, :1, :1]
        frames = np.linspace(0, keypoint.shape[1] - 1, 32).round().astype(int)
        padded = np.zeros((2, 32, 25, 3))
        padded[: len(keypoint)] = keypoint[:, frames]
        return padded.ravel()

    train, val = (
        np.stack([features(name) for name in split[f'xview_{part}']])
        for part in ('train', 'val')
    )
    distance = np.linalg.norm(train[None] - val[:, None], axis=-1)
    found = np.array(split['xview_train'])[distance.argmin(axis=1)]
    hits = [
        samples[a]['label'] == samples[b]['label']
        for a, b in zip(found, split['xview_val'], strict=True)
    ]
    assert 0.1 < np.mean(hits) < 0.75
