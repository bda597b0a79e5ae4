"""NTU RGB+D 60 and 120 skeletons."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np

from .base import BadFileError, BaseConverter, LeftOut, train_and_val
from .ntu_missing import MISSING_SKELETONS

_NAME = re.compile(r'(S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3}))\.skeleton')
_NUM_JOINTS = 25
_HEAD_VALUES, _JOINT_VALUES = 11, 12
_BODY_VALUES = _HEAD_VALUES + _NUM_JOINTS * _JOINT_VALUES
_MAX_NOISE_FRAMES = 11
_WIDE_RATIO, _WIDE_SHARE = 0.8, 0.69754
# The training subjects of NTU RGB+D 120. Those up to 40 are the ones of NTU RGB+D 60.
# fmt: off
_TRAINING_SUBJECTS = frozenset((
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46,
    47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86,
    89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
))
_ACTIONS = (
    'drink water', 'eat meal/snack', 'brushing teeth', 'brushing hair', 'drop',
    'pickup', 'throw', 'sitting down', 'standing up (from sitting position)',
    'clapping', 'reading', 'writing', 'tear up paper', 'wear jacket',
    'take off jacket', 'wear a shoe', 'take off a shoe', 'wear on glasses',
    'take off glasses', 'put on a hat/cap', 'take off a hat/cap', 'cheer up',
    'hand waving', 'kicking something', 'reach into pocket',
    'hopping (one foot jumping)', 'jump up', 'make a phone call/answer phone',
    'playing with phone/tablet', 'typing on a keyboard',
    'pointing to something with finger', 'taking a selfie', 'check time (from watch)',
    'rub two hands together', 'nod head/bow', 'shake head', 'wipe face', 'salute',
    'put the palms together', 'cross hands in front (say stop)', 'sneeze/cough',
    'staggering', 'falling', 'touch head (headache)',
    'touch chest (stomachache/heart pain)', 'touch back (backache)',
    'touch neck (neckache)', 'nausea or vomiting condition',
    'use a fan (with hand or paper)/feeling warm', 'punching/slapping other person',
    'kicking other person', 'pushing other person', 'pat on back of other person',
    'point finger at the other person', 'hugging other person',
    'giving something to other person', "touch other person's pocket", 'handshaking',
    'walking towards each other', 'walking apart from each other',
    'put on headphone', 'take off headphone', 'shoot at the basket', 'bounce ball',
    'tennis bat swing', 'juggling table tennis balls', 'hush (quiet)', 'flick hair',
    'thumb up', 'thumb down', 'make ok sign', 'make victory sign', 'staple book',
    'counting money', 'cutting nails', 'cutting paper (using scissors)',
    'snapping fingers', 'open bottle', 'sniff (smell)', 'squat down', 'toss a coin',
    'fold paper', 'ball up paper', 'play magic cube', 'apply cream on face',
    'apply cream on hand back', 'put on bag', 'take off bag',
    'put something into a bag', 'take something out of a bag', 'open a box',
    'move heavy objects', 'shake fist', 'throw up cap/hat', 'hands up (both hands)',
    'cross arms', 'arm circles', 'arm swings', 'running on the spot',
    'butt kicks (kick backward)', 'cross toe touch', 'side kick', 'yawn',
    'stretch oneself', 'blow nose', 'hit other person with something',
    'wield knife towards other person', 'knock over other person (hit with body)',
    "grab other person's stuff", 'shoot at other person with a gun', 'step on foot',
    'high-five', 'cheers and drink', 'carry something with other person',
    'take a photo of other person', 'follow other person',
    "whisper in other person's ear", 'exchange things with other person',
    'support somebody with hand',
    'finger-guessing game (playing rock-paper-scissors)',
)
# fmt: on


class _Body(NamedTuple):
    """What one tracking id saw."""

    frames: np.ndarray  # (n,)
    joints: np.ndarray  # (n, V, 3)


class BaseNTUConverter(BaseConverter):
    """Files ``SsssCcccPpppRrrrAaaa.skeleton`` (setup, camera, person, repetition).

    Coordinates stay in metres, in the frame of the camera. The samples that the
    authors list as missing or incomplete are left out, also with ``strict``.

    Who is in a sequence follows the data preparation of Microsoft's VA-NN and of
    CTR-GCN [1]_, [2]_. From it come the published NTU results of most graph networks
    and of MAMP and, with small changes, the ntu60_3d.pkl and ntu120_3d.pkl of
    MMAction2 [3]_. Where a file has more than one tracking id:

    1. An id of 11 frames or fewer is noise.
    2. A frame is wide where the joints span more than 0.8 times as much in x as in y.
       An id with 69.754 % wide frames or more is noise, such as a chair.
    3. Motion is the sum over x, y, z of the variance over all frames and joints, or,
       if that is less, the one over the frames that are not wide.
    4. In the order of motion, an id becomes the first person, or the second one where
       it shares a frame with the first; it is left out where it meets both. So ids
       that follow each other are one person who was found again.
    5. Frames without these persons are dropped. One who is absent in a frame is zeros.

    It differs from these sources in three points. An id that vanishes and returns
    stands in its own frames, where they move it up to close the gap, out of step with
    the other person. Ids share a frame if both are in it, where they compare the first
    and the last frame. Rules 1 and 2 never remove the last id: rule 1 then has no
    effect, and of wide ids the least wide stays.

    MMAction2's own gen_ntu_rgbd_raw.py is something else: it drops no noise, takes
    bodies by their place in a frame, not by id, and turns the skeletons, which here
    PreNormalize3D does in the pipeline.

    .. [1] https://github.com/microsoft/View-Adaptive-Neural-Networks-for-Skeleton-based-Human-Action-Recognition/blob/master/data/ntu/get_raw_denoised_data.py
    .. [2] https://github.com/Uason-Chen/CTR-GCN/tree/main/data/ntu
    .. [3] https://github.com/kennymckormick/pyskl/blob/main/tools/data/ntu_preproc.py
    """

    layout = 'nturgb+d'

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the name has the form of the set and one of its actions."""
        match = _NAME.fullmatch(path.name)
        return match is not None and 1 <= int(match[6]) <= len(self.classes)

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict | LeftOut]:
        """Reads the one sequence of a file, unless it is known to be missing."""
        frame_dir, *numbers = _NAME.fullmatch(path.name).groups()
        if frame_dir in MISSING_SKELETONS:
            reason = 'the authors list its skeletons as missing or incomplete'
            return [LeftOut(frame_dir, reason)]
        setup, view, subject, repetition, action = map(int, numbers)
        num_frames, bodies = _read(file.read())
        keypoint = _place(_without_noise(bodies), num_frames)
        return [
            dict(
                frame_dir=frame_dir,
                label=action - 1,
                keypoint=keypoint,
                total_frames=keypoint.shape[1],
                subject=subject,
                view=view,
                setup=setup,
                repetition=repetition,
            )
        ]


class NTU60Converter(BaseNTUConverter):
    """NTU RGB+D 60: actions 1 to 60."""

    format = 'ntu60'
    classes = _ACTIONS[:60]
    source = 'NTU RGB+D (Shahroudy et al., CVPR 2016)'
    files = 'files SsssCcccPpppRrrrAaaa.skeleton with A001 to A060'

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """Cross-subject and cross-view: cameras 2 and 3 train."""
        return train_and_val(
            annotations, xsub=_trains, xview=lambda a: a['view'] in (2, 3)
        )


class NTU120Converter(BaseNTUConverter):
    """NTU RGB+D 120, which includes NTU RGB+D 60."""

    format = 'ntu120'
    classes = _ACTIONS
    source = 'NTU RGB+D 120 (Liu et al., TPAMI 2020)'
    files = 'files SsssCcccPpppRrrrAaaa.skeleton with A001 to A120'

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """Cross-subject and cross-setup: even setups train."""
        return train_and_val(
            annotations, xsub=_trains, xset=lambda a: a['setup'] % 2 == 0
        )


def _trains(annotation: dict) -> bool:
    return annotation['subject'] in _TRAINING_SUBJECTS


def _read(text: bytes) -> tuple[int, list[_Body]]:
    """Number of frames, and the bodies in the order in which they appear.

    The text is the number of frames; for each the number of bodies; for each of those
    11 values, first its tracking id and last its number of joints, and 12 values a
    joint, first x, y, z.
    """
    values = text.split()
    if not values:
        raise BadFileError('the file is empty')
    rows, coordinates, at, frame = {}, [], 1, 0
    try:
        num_frames = int(values[0])
        for frame in range(num_frames):
            num_bodies, at = int(values[at]), at + 1
            for _ in range(num_bodies):
                body, at = values[at : at + _BODY_VALUES], at + _BODY_VALUES
                num_joints = int(body[_HEAD_VALUES - 1])
                if num_joints != _NUM_JOINTS:
                    raise BadFileError(
                        f'frame {frame + 1} has a body of {num_joints} joints, '
                        f'expected {_NUM_JOINTS}'
                    )
                if len(body) < _BODY_VALUES:
                    raise IndexError
                # The id stays text: it has 17 digits, more than a float tells apart.
                rows.setdefault(body[0], []).append((frame, len(coordinates)))
                coordinates.append(
                    [body[_HEAD_VALUES + axis :: _JOINT_VALUES] for axis in range(3)]
                )
    except BadFileError:
        raise
    except IndexError as error:
        raise BadFileError(
            f'it ends in frame {frame + 1} of {num_frames}; unpack it again'
        ) from error
    except ValueError as error:
        raise BadFileError(
            f'frame {frame + 1}: no number where one is expected: {error}; a body is '
            f'{_HEAD_VALUES} values, the last its number of joints, {_NUM_JOINTS}, and '
            f'{_JOINT_VALUES} for each'
        ) from error
    try:
        joints = np.array(coordinates, dtype=np.float64)  # (n, 3, V)
    except ValueError as error:
        raise BadFileError(
            f'no number where a coordinate is expected: {error}'
        ) from error
    if at < len(values):
        raise BadFileError(f'{len(values) - at} values after its {num_frames} frames')
    if not rows:
        raise BadFileError(f'nobody is tracked in its {num_frames} frames')
    joints = joints.swapaxes(1, 2)
    return num_frames, [
        _Body(frames, joints[row])
        for frames, row in (np.array(pairs).T for pairs in rows.values())
    ]


def _without_noise(bodies: list[_Body]) -> list[_Body]:
    """Rules 1 to 3: the bodies that are persons, by motion, most first."""
    bodies = [b for b in bodies if len(b.frames) > _MAX_NOISE_FRAMES] or bodies
    shares = np.array([_is_wide(body.joints).mean() for body in bodies])
    keep = np.flatnonzero(shares < _WIDE_SHARE)
    if not keep.size:
        return [bodies[shares.argmin()]]
    return sorted(
        (bodies[i] for i in keep),
        key=lambda body: min(
            _motion(body.joints), _motion(body.joints[~_is_wide(body.joints)])
        ),
        reverse=True,
    )


def _is_wide(joints: np.ndarray) -> np.ndarray:
    """Whether the joints span too much in x for their span in y, by frame."""
    span = np.ptp(joints, axis=1)
    return span[:, 0] > _WIDE_RATIO * span[:, 1]


def _motion(joints: np.ndarray) -> float:
    return joints.reshape(-1, 3).var(axis=0).sum()


def _place(bodies: list[_Body], num_frames: int) -> np.ndarray:
    """Rules 4 and 5: the keypoint array of one or two persons."""
    keypoint = np.zeros((2, num_frames, _NUM_JOINTS, 3), dtype=np.float32)
    for frames, joints in bodies:
        for person in keypoint:
            if not person[frames].any():
                person[frames] = joints
                break
    keypoint = keypoint[keypoint.any(axis=(1, 2, 3))]
    return keypoint[:, keypoint.any(axis=(0, 2, 3))]
