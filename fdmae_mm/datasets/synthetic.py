"""Procedural skeleton actions: data that needs no download.

Twenty actions, acted by subjects of different build, tempo and manner, and seen by
three noisy cameras. Some actions form pairs that differ in one thing alone: tempo
(wave, clap, squat) or direction (arm circle, stirring, sit and stand, side step,
walking towards each other and apart).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from .converters.base import train_and_val
from .kinematics import Pose, draw_bones, move, rotation

FPS = 30
FRAMES = (56, 110)
CAMERA_YAW = {1: 0.0, 2: 45.0, 3: -45.0}
LEFT, RIGHT = 0, 1

# Tempo pairs. A subject's speed and a repetition's own tempo scale a frequency by
# 0.85 * 0.93 to 1.17 * 1.07, and clips differ in length by 110 / 56: a factor of 3.1
# between the frequencies keeps the pair apart even after all clips are resized to one
# length.
WAVE_HERTZ = (0.65, 2.6)
CLAP_HERTZ = (0.75, 2.8)
SQUAT_HERTZ = (0.42, 1.4)
SPEED = (0.85, 1.17)
TEMPO = (0.93, 1.07)


@dataclass(frozen=True)
class Subject:
    """Build and manner of one person.

    Attributes:
        bones: (24, 3) for :func:`~fdmae_mm.datasets.kinematics.move`.
        speed: Factor on frequencies and durations.
        amplitude: Factor on the extent of a movement.
        side: Preferred hand and foot, LEFT or RIGHT.
        lean: Usual lean of the trunk in degrees.
        arm: (2,) usual elevation to the side and flexion of the elbow in degrees.
        sway: Degrees that the body sways when it stands.
    """

    bones: np.ndarray
    speed: float
    amplitude: float
    side: int
    lean: float
    arm: np.ndarray
    sway: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Subject:
        """Draws a person."""
        return cls(
            bones=draw_bones(rng, height=rng.uniform(1.52, 1.92)),
            speed=rng.uniform(*SPEED),
            amplitude=rng.uniform(0.75, 1.2),
            side=RIGHT if rng.random() < 0.7 else LEFT,
            lean=rng.uniform(-2, 9),
            arm=rng.uniform((3, 5), (13, 28)),
            sway=rng.uniform(0.5, 2),
        )


def _ramp(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 at x <= 0 to 1 at x >= 1 without a jump in acceleration."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


def _bump(x: np.ndarray) -> np.ndarray:
    """Smooth rise from 0 at x <= 0 to 1 at x = 1/2 and back to 0 at x >= 1."""
    return _ramp(1 - np.abs(2 * x - 1))


# Where a hand rests that has nothing to do: on the hip, before the belly, in a pocket,
# behind the back, folded before the chest.
_HELD = (
    (70, 45, 25, 95),
    (10, 10, 50, 85),
    (60, 20, 20, 45),
    (120, 30, 40, 60),
    (15, 30, 60, 100),
)


class Take:
    """One person's performance of one action: what is random, but not the action."""

    def __init__(
        self, subject: Subject, num_frames: int, rng: np.random.Generator
    ) -> None:
        self.subject = subject
        self.num_frames = num_frames
        self.rng = rng
        self.time = np.arange(num_frames) / FPS  # seconds
        self.seconds = num_frames / FPS
        self.speed = subject.speed * rng.uniform(*TEMPO)
        self.amplitude = subject.amplitude * rng.uniform(0.93, 1.07)
        self.side = subject.side if rng.random() < 0.85 else 1 - subject.side

    def drift(self, size: float) -> np.ndarray:
        """(T,) slow wander of about ``size``, with which nobody stands still."""
        hertz, phase = self.rng.uniform(0.1, 0.6, 3), self.rng.uniform(0, 2 * np.pi, 3)
        waves = np.sin(2 * np.pi * hertz * self.time[:, None] + phase)
        return size * waves.mean(axis=1) * 1.7

    def standing(self) -> Pose:
        """A relaxed stand; hands that an action does not use may be held anyhow."""
        pose, subject, rng = Pose.upright(self.num_frames), self.subject, self.rng
        pose.yaw += self.drift(8 * subject.sway)
        pose.lean += subject.lean + rng.normal(0, 4) + self.drift(2 * subject.sway)
        pose.bend += rng.normal(0, 2) + self.drift(2 * subject.sway)
        pose.twist += rng.normal(0, 8) + self.drift(4 * subject.sway)
        pose.nod += rng.uniform(-5, 20) + self.drift(4)
        pose.look += rng.uniform(-30, 30) + self.drift(10)
        for side in (LEFT, RIGHT):
            hanging = (90, *(subject.arm + rng.normal(0, 4, 2)).clip(0))
            pose.arms[:, side] = _HELD[rng.integers(len(_HELD))]
            if rng.random() < 0.5:
                pose.arms[:, side] = (hanging[0], hanging[1], 10, hanging[2])
            pose.arms[:, side] += self.drift(6 * subject.sway)[:, None]
        pose.legs[:, :, 1] = rng.uniform(0, 9)
        return pose

    def busy(self) -> Pose:
        """A stand, a seat or a slow walk: for what needs the hands only."""
        pose, rng = self.standing(), self.rng
        stance = rng.random()
        if stance < 0.3:
            pose.legs[:, :, 0] += rng.uniform(75, 95)
            pose.legs[:, :, 2] += rng.uniform(75, 100)
            pose.lean += rng.uniform(-5, 12)
        elif stance < 0.8:
            hertz = rng.uniform(0.6, 1.1)
            pose.yaw += rng.uniform(-40, 40) * (self.time - self.time.mean())
            self.walk(pose, self.phase(hertz), np.ones(self.num_frames))
            metres = rng.uniform(0.4, 0.8) * hertz * (self.time - self.time.mean())
            turn = rotation(1, pose.yaw)
            pose.travel = turn @ (0, 0, -1) * metres[:, None]
        return pose

    def walk(self, pose: Pose, phase: np.ndarray, share: np.ndarray) -> None:
        """Moves the legs in steps, one pair of steps in 2 pi; ``share`` (T,) 0 to 1."""
        for side, half in ((LEFT, 0.0), (RIGHT, np.pi)):
            pose.legs[:, side, 0] += share * 24 * np.sin(phase + half)
            pose.legs[:, side, 2] += share * 40 * np.cos(phase + half).clip(0)
        pose.planted = ()

    def envelope(self) -> np.ndarray:
        """(T,) 0 before and after the action, 1 during it; a clip may cut either."""
        rng = self.rng
        begin = rng.uniform(0.05, 0.45) if rng.random() < 0.6 else -1.0
        end = rng.uniform(0.05, 0.45) if rng.random() < 0.5 else -1.0
        rise, fall = rng.uniform(0.25, 0.45, 2)
        return _ramp((self.time - begin) / rise) * _ramp(
            (self.seconds - end - self.time) / fall
        )

    def phase(self, hertz: float) -> np.ndarray:
        """(T,) radians of a cycle with a random start and a slightly uneven tempo."""
        uneven = self.rng.uniform(0, 0.25) * np.sin(
            2 * np.pi * 0.3 * self.time + self.rng.uniform(0, 2 * np.pi)
        )
        turns = hertz * self.speed * self.time + self.rng.random()
        return 2 * np.pi * turns + uneven

    def event(self, seconds: float) -> np.ndarray:
        """(T,) progress of what happens once: 0 before, linear from 0 to 1, 1 after."""
        seconds = seconds / self.speed * self.rng.uniform(0.85, 1.15)
        begin = self.rng.uniform(0, max(self.seconds - seconds, 0.0))
        return np.clip((self.time - begin) / seconds, 0, 1)

    def reach(self, pose: Pose, side: int, share: np.ndarray, angles: tuple) -> None:
        """Moves an arm from where it is towards ``angles`` by a (T,) share, 1 = all."""
        target = np.array(angles) + self.rng.normal(0, 4, 4)
        pose.arms[:, side] += share[:, None] * (target - pose.arms[:, side])


def _wave(take: Take, hertz: float) -> Pose:
    pose, on = take.busy(), take.envelope()
    raised = (take.rng.uniform(60, 95), take.rng.uniform(65, 110), -90, 75)
    take.reach(pose, take.side, on, raised)
    swing = 32 * take.amplitude * np.sin(take.phase(hertz))
    pose.arms[:, take.side, 3] += on * swing
    return pose


def _clap(take: Take, hertz: float) -> Pose:
    pose, on = take.busy(), take.envelope()
    plane, lift = take.rng.uniform(5, 20), take.rng.uniform(25, 60)
    apart = take.amplitude * (1 + np.cos(take.phase(hertz))) / 2
    for side in (LEFT, RIGHT):
        take.reach(pose, side, on, (plane, lift, 40, 70))
        pose.arms[:, side, 2] -= 40 * on * apart
    return pose


def _squat(take: Take, hertz: float) -> Pose:
    pose, on = take.standing(), take.envelope()
    depth = on * take.amplitude * (1 - np.cos(take.phase(hertz))) / 2
    pose.legs[:, :, 0] += 88 * depth[:, None]
    pose.legs[:, :, 2] += 100 * depth[:, None]
    pose.lean += 28 * depth
    return pose


def _circle_arm(take: Take, direction: int) -> Pose:
    pose, hertz = take.busy(), 0.9 * take.speed
    begin = take.rng.uniform(0.05, 0.45) if take.rng.random() < 0.5 else 0.0
    phase = take.rng.random() if begin == 0 else 0.0  # already in full swing
    turns = max(round((take.seconds - begin) * hertz + take.rng.uniform(-0.5, 0.5)), 1)
    progress = np.clip((take.time - begin) * hertz + phase, 0, turns + (phase > 0))
    # Slower at the top than at the bottom, as an arm that hangs on a shoulder is.
    turned = progress + 0.05 * np.sin(2 * np.pi * progress)
    plane, elbow = take.rng.uniform(5, 30), take.rng.uniform(5, 20)
    take.reach(pose, take.side, np.ones(take.num_frames), (plane, 0, 0, elbow))
    pose.arms[:, take.side, 1] += direction * 360 * turned
    pose.twist += 4 * np.sin(2 * np.pi * turned)
    return pose


def _seat(take: Take, down: bool) -> Pose:
    pose, progress = take.standing(), take.event(1.1)
    if not down:
        progress = 1 - progress
    seated = _ramp(progress)
    pose.legs[:, :, 0] += 85 * seated[:, None]
    pose.legs[:, :, 2] += 88 * seated[:, None]
    pose.lean += 35 * take.amplitude * _bump(progress)
    for side in (LEFT, RIGHT):
        take.reach(pose, side, seated, (15, 35, 15, 45))
    return pose


def _step(take: Take, direction: int) -> Pose:
    """Steps to the side: one leg moves out, the other follows, once or twice."""
    pose, steps = take.standing(), take.rng.integers(1, 3)
    progress = take.event(0.9 * steps) * steps
    width = 0.38 * take.amplitude * direction
    leading = RIGHT if direction > 0 else LEFT
    feet = np.empty((take.num_frames, 2))  # metres to the right of the start
    lifted = np.empty((take.num_frames, 2))
    for side, delay in ((leading, 0.0), (1 - leading, 0.5)):
        whole, part = np.divmod(progress - delay, 1)
        feet[:, side] = width * (whole + _ramp(2 * part))
        lifted[:, side] = _bump(2 * part) * (progress > delay) * (progress < steps)
    feet -= feet[:1]
    pelvis = feet.mean(axis=1)
    outwards = (feet - pelvis[:, None]) * (-1, 1)
    pose.legs[:, :, 1] += np.rad2deg(np.arcsin(outwards / 0.85))
    pose.legs[:, :, 0] += 14 * lifted
    pose.legs[:, :, 2] += 28 * lifted
    pose.bend -= 8 * np.gradient(pelvis) * FPS
    pose.travel = np.einsum(
        'tab,tb->ta', rotation(1, pose.yaw), pelvis[:, None] * (1, 0, 0)
    )
    pose.planted = ()
    return pose


def _stir(take: Take, direction: int) -> Pose:
    """The hand draws circles before the chest."""
    pose, on = take.busy(), take.envelope()
    phase = direction * take.phase(1.2)
    plane, lift = take.rng.uniform(5, 30), take.rng.uniform(20, 45)
    take.reach(pose, take.side, on, (plane, lift, 0, 75))
    radius = on * take.amplitude
    pose.arms[:, take.side, 2] += 28 * radius * np.cos(phase)
    pose.arms[:, take.side, 3] += 25 * radius * np.sin(phase)
    return pose


def _drink(take: Take) -> Pose:
    pose, progress = take.busy(), take.event(2.0)
    raised = _ramp(progress / 0.3) * _ramp((1 - progress) / 0.3)
    lift = take.rng.uniform(35, 60)
    take.reach(pose, take.side, raised, (5, lift, 35, 138))
    pose.nod -= 14 * take.amplitude * _bump((progress - 0.3) / 0.4)
    return pose


def _kick(take: Take) -> Pose:
    pose, progress = take.standing(), take.event(1.0)
    leg = take.side
    pose.legs[:, leg, 0] += 78 * take.amplitude * _bump((progress - 0.15) / 0.7)
    pose.legs[:, leg, 0] -= 20 * _bump(progress / 0.35)
    pose.legs[:, leg, 2] += 75 * _bump(progress / 0.6)
    pose.lean -= 12 * _bump((progress - 0.15) / 0.7)
    for side, sign in ((leg, -1), (1 - leg, 1)):
        pose.arms[:, side, 1] += (10 + 15 * sign) * _bump(progress)
    pose.planted = (1 - leg,)
    return pose


def _facing(first: Pose, second: Pose, distance: np.ndarray) -> tuple[Pose, Pose]:
    """Places two persons face to face across the origin, ``distance`` (T,) apart."""
    for pose, sign in ((first, -1), (second, 1)):
        pose.yaw += sign * 90
        pose.travel[:, 0] += sign * distance / 2
    return first, second


def _hands(take: Take, pose: Pose, hands: tuple[int, ...]) -> np.ndarray:
    """(T, 3) middle of the hands, seen from the body's place."""
    return move(take.subject.bones, pose)[:, hands].mean(axis=1)


def _shake_hands(first: Take, second: Take) -> tuple[Pose, Pose]:
    on = first.envelope()
    shake = 6 * first.amplitude * np.sin(first.phase(1.8)) * on
    poses = []
    for take in (first, second):
        pose = take.standing()
        take.reach(pose, RIGHT, on, (-5, 42, 15, 48))
        pose.arms[:, RIGHT, 3] += shake
        poses.append(pose)
    meet = np.argmax(on)
    right, _, back = sum(
        _hands(take, pose, (11,))[meet]
        for take, pose in zip((first, second), poses, strict=True)
    )
    _facing(*poses, first.drift(0.02) - back)
    poses[1].travel[:, 2] += right  # hand to hand, so not face to face
    return tuple(poses)


def _push(first: Take, second: Take) -> tuple[Pose, Pose]:
    progress = first.event(1.1)
    pose, pushed = first.standing(), second.standing()
    drawn, thrust = _bump(progress / 0.7), _ramp((progress - 0.3) / 0.2)
    back = _ramp((1 - progress) / 0.3)
    for side in (LEFT, RIGHT):
        first.reach(pose, side, drawn, (10, 45, 20, 95))
        first.reach(pose, side, thrust * back, (5, 82, 5, 12))
    pose.lean += 12 * first.amplitude * thrust * back
    hit = _ramp((progress - 0.45) / 0.25)
    pushed.lean -= 16 * first.amplitude * _bump((progress - 0.42) / 0.5)
    for side in (LEFT, RIGHT):
        second.reach(pushed, side, _bump((progress - 0.42) / 0.55), (50, 35, 0, 35))
    stagger = 0.45 * first.amplitude * hit
    pushed.legs[:, second.side, 0] -= 22 * _bump((progress - 0.42) / 0.4)
    apart = 0.08 - _hands(first, pose, (7, 11))[:, 2].min()
    return _facing(pose, pushed, apart + stagger)


def _walk(first: Take, second: Take, closer: bool) -> tuple[Pose, Pose]:
    """Walks up to each other, or the same backwards in time."""
    progress = first.event(1.6)
    if not closer:
        progress = 1 - progress
    near, way = first.rng.uniform(0.7, 1.0), 1.1 * first.amplitude
    gone = _ramp(progress)
    moving = np.sqrt(_bump(progress))
    poses = []
    for take in (first, second):
        pose = take.standing()
        start = np.pi * take.rng.integers(2)
        take.walk(pose, 2 * np.pi * 1.5 * progress + start, moving)
        poses.append(pose)
    return _facing(*poses, near + way * (1 - gone))


@dataclass(frozen=True)
class Action:
    """A class of the set.

    Attributes:
        name: Class name.
        act: Makes the pose of one :class:`Take`, or the two poses of two.
        persons: How many takes ``act`` takes.
    """

    name: str
    act: Callable
    persons: int = 1


ACTIONS = (
    Action('wave slowly', partial(_wave, hertz=WAVE_HERTZ[0])),
    Action('wave fast', partial(_wave, hertz=WAVE_HERTZ[1])),
    Action('clap slowly', partial(_clap, hertz=CLAP_HERTZ[0])),
    Action('clap fast', partial(_clap, hertz=CLAP_HERTZ[1])),
    Action('squat slowly', partial(_squat, hertz=SQUAT_HERTZ[0])),
    Action('squat fast', partial(_squat, hertz=SQUAT_HERTZ[1])),
    Action('circle arm forwards', partial(_circle_arm, direction=-1)),
    Action('circle arm backwards', partial(_circle_arm, direction=1)),
    Action('sit down', partial(_seat, down=True)),
    Action('stand up', partial(_seat, down=False)),
    Action('step to the left', partial(_step, direction=-1)),
    Action('step to the right', partial(_step, direction=1)),
    Action('stir inwards', partial(_stir, direction=1)),
    Action('stir outwards', partial(_stir, direction=-1)),
    Action('drink', _drink),
    Action('kick', _kick),
    Action('shake hands', _shake_hands, persons=2),
    Action('push', _push, persons=2),
    Action('walk towards each other', partial(_walk, closer=True), persons=2),
    Action('walk apart', partial(_walk, closer=False), persons=2),
)

# What a Kinect loses sight of: ends of limbs, seldom the trunk.
_LOSABLE = (3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 24)
# How much noisier than the trunk a joint is.
_NOISE = np.ones(25)
_NOISE[[6, 7, 10, 11, 14, 15, 18, 19]] = 1.5
_NOISE[[21, 22, 23, 24]] = 2.0


def _perform(action: Action, subject: Subject, rng: np.random.Generator) -> np.ndarray:
    """Acts in the world, (M, T, 25, 3): feet on the floor y = 0 near the origin."""
    num_frames = int(rng.integers(FRAMES[0], FRAMES[1] + 1))
    takes = [Take(subject, num_frames, rng)]
    if action.persons == 1:
        poses = [action.act(takes[0])]
    else:
        # The partner belongs to no split, so that no subject is seen in both.
        takes.append(Take(Subject.draw(rng), num_frames, rng))
        if rng.random() < 0.5:
            takes.reverse()
        poses = list(action.act(*takes))
    bodies = np.stack(
        [
            move(take.subject.bones, pose)
            for take, pose in zip(takes, poses, strict=True)
        ]
    )
    if action.persons == 2 and rng.random() < 0.5:
        bodies = bodies[::-1]
    turn = rng.uniform(-60, 60) if action.persons == 1 else rng.uniform(-30, 30)
    return bodies @ rotation(1, turn).T


def _film(bodies: np.ndarray, camera: int, rng: np.random.Generator) -> np.ndarray:
    """What a camera records of the world: view, sensor noise, dropped joints.

    Args:
        bodies: (M, T, 25, 3) in the world.
        camera: 1 (frontal), 2 or 3 (45 degrees to either side).
        rng: Source of randomness.

    Returns:
        float32 (M, T, 25, 3) in the coordinates of the camera.
    """
    yaw = rotation(1, CAMERA_YAW[camera] + rng.uniform(-6, 6))
    tilt = rotation(0, rng.uniform(-5, 5))
    place = rng.uniform((-0.5, -1.3, 2.4), (0.5, -0.8, 4.0))
    joints = bodies @ (tilt @ yaw).T + place

    white = rng.standard_normal(joints.shape)
    noise = np.empty_like(white)
    noise[:, 0] = white[:, 0]
    for frame in range(1, joints.shape[1]):  # half of it lasts from frame to frame
        noise[:, frame] = 0.7 * noise[:, frame - 1] + 0.714 * white[:, frame]
    noise[..., 2] *= 1.5  # depth is the least certain
    joints += rng.uniform(0.006, 0.014) * _NOISE[:, None] * noise

    num_frames = joints.shape[1]
    for body in joints:
        for _ in range(rng.poisson(1.0)):
            lost = rng.choice(_LOSABLE, size=rng.integers(1, 4), replace=False)
            begin = rng.integers(num_frames)
            body[begin : begin + rng.integers(3, 16), lost] = 0
    return joints.astype(np.float32)


def make_synthetic(seed: int = 0, num_subjects: int = 12, repetitions: int = 2) -> dict:
    """Makes the synthetic set.

    Every subject performs every action ``repetitions`` times before each of the three
    cameras, anew for each camera. A sample depends on ``seed`` and its own name alone:
    more subjects or repetitions add samples and change none.

    Splits are ``xsub_train`` and ``xsub_val`` (every third subject), ``xview_train``
    (cameras 2 and 3) and ``xview_val`` (camera 1).

    Args:
        seed: Seed of the set.
        num_subjects: From 3, so that both cross-subject splits hold someone, to 999.
        repetitions: Of each action by each subject before each camera, 1 to 999.

    Returns:
        Annotation dict of MMAction2 with the keys split, annotations and metainfo. A
        keypoint array is (M, T, 25, 3) in metres, x to the right of a person who faces
        the camera, y up, z away from the camera.

    Raises:
        ValueError: A number is out of range.
    """
    if not 3 <= num_subjects <= 999:
        raise ValueError(f'num_subjects={num_subjects} must be from 3 to 999.')
    if not 1 <= repetitions <= 999:
        raise ValueError(f'repetitions={repetitions} must be from 1 to 999.')
    annotations = []
    for person in range(1, num_subjects + 1):
        subject = Subject.draw(np.random.default_rng([seed, person]))
        for camera in CAMERA_YAW:
            for repetition in range(1, repetitions + 1):
                for label, action in enumerate(ACTIONS):
                    rng = np.random.default_rng(
                        [seed, person, camera, repetition, label]
                    )
                    name = (
                        f'S001C{camera:03d}P{person:03d}R{repetition:03d}'
                        f'A{label + 1:03d}'
                    )
                    keypoint = _film(_perform(action, subject, rng), camera, rng)
                    annotations.append(
                        dict(
                            frame_dir=name,
                            label=label,
                            keypoint=keypoint,
                            total_frames=keypoint.shape[1],
                            subject=person,
                            view=camera,
                        )
                    )
    return dict(
        split=train_and_val(
            annotations,
            xsub=lambda a: a['subject'] % 3 != 0,
            xview=lambda a: a['view'] != 1,
        ),
        annotations=annotations,
        metainfo=dict(
            dataset='synthetic',
            layout='nturgb+d',
            classes=[action.name for action in ACTIONS],
            source=(
                f'fdmae_mm synthetic, seed {seed}, {num_subjects} subjects, '
                f'{repetitions} repetitions'
            ),
        ),
    )
