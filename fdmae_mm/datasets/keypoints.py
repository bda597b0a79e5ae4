"""Persons and joints of one annotation: who is there, what was measured."""

from __future__ import annotations

import numpy as np

#: What of an annotation has a row a person.
BY_PERSON = {'keypoint', 'keypoint_score'}
# What a Kinect tracks at most.
_MANY_PERSONS = 6


def check_order(keypoint: np.ndarray) -> None:
    """Raises ValueError where an array (M, T, V, C) seems to be of another order."""
    persons, frames = keypoint.shape[:2]
    if persons > max(frames, _MANY_PERSONS):
        raise ValueError(
            f'an array of the shape {keypoint.shape} has {persons} persons in {frames} '
            'frames, expected (persons, frames, joints, coordinates); if its frames '
            'stand first, swap them: np.swapaxes(array, 0, 1)'
        )
    if persons == 3 and keypoint.shape[3] == 2:
        raise ValueError(
            f'an array of the shape {keypoint.shape} reads both as (persons, frames, '
            'joints, coordinates) of three persons in 2-D and as (coordinates, frames, '
            'joints, persons) of two in 3-D, the order of ST-GCN; turn that one round, '
            'np.moveaxis(array, (0, 3), (3, 0)), or give the other a fourth person of '
            'zeros'
        )


def check_frames(total: int, keypoint: np.ndarray, name: str) -> None:
    """Raises ValueError where an array (M, T, V, C) has not ``total`` frames."""
    if not 1 <= total <= keypoint.shape[1]:
        raise ValueError(
            f'total_frames={total} of {name} must be from 1 to the '
            f'{keypoint.shape[1]} frames of keypoint.'
        )


def present_persons(annotation: dict) -> np.ndarray:
    """Who is not zero throughout, bool (M,)."""
    return annotation['keypoint'][:, : annotation['total_frames']].any(axis=(1, 2, 3))


def present_first(annotation: dict) -> dict:
    """The annotation with a copy of its persons, those who are there first.

    FormatGCNInput keeps so many from the start, and some trackers begin with an empty
    place.
    """
    order = np.argsort(~present_persons(annotation), kind='stable')
    rows = {
        key: np.asarray(annotation[key])[order] for key in BY_PERSON & annotation.keys()
    }
    return annotation | rows


def any_coordinate(flags: np.ndarray) -> np.ndarray:
    """Which joints have a flag at any coordinate: bool (..., C) -> bool (...)."""
    # Eight times as fast as flags.any(-1), whose inner loop is two or three long.
    found = flags[..., 0]
    for channel in range(1, flags.shape[-1]):
        found = found | flags[..., channel]
    return found


def seen_joints(keypoint: np.ndarray) -> np.ndarray:
    """Which joints are not zero: (..., C) -> bool (...)."""
    return any_coordinate(keypoint != 0)


def measured_joints(
    keypoint: np.ndarray, center: int, score: np.ndarray | None = None
) -> np.ndarray:
    """Which joints were measured: those that are not zero, and the root of the others.

    A centre joint that is zero in every frame, with the others around it, is the origin
    of joints given relative to it: that it is zero does not mean missing.

    Args:
        keypoint: Coordinates, (M, T, V, C).
        center: The centre joint of the layout.
        score: (M, T, V); a centre joint that never has any was not measured.

    Returns:
        bool (M, T, V).
    """
    seen = seen_joints(keypoint)
    for person in np.flatnonzero(seen.any(axis=(1, 2)) & ~seen[..., center].any(1)):
        joints = keypoint[person][seen[person]]
        around = (joints.min(axis=0) <= 0).all() and (joints.max(axis=0) >= 0).all()
        if around and (score is None or score[person, :, center].any()):
            seen[person, :, center] = seen[person].any(axis=1)
    return seen


def check_scores(keypoint: np.ndarray) -> None:
    """Raises ValueError where joints (..., C) seem to be pixels and a score."""
    if keypoint.shape[-1] != 3:
        return
    joints = keypoint[np.isfinite(keypoint).all(axis=-1)]
    if not joints.any():
        return
    pixels, third = np.abs(joints[:, :2]), joints[:, 2]
    if third.min() >= 0 and 0 < third.max() <= 1 and pixels.max() > 10:
        raise ValueError(
            'the third number of each joint is between 0 and 1 and the others are '
            'pixels: it looks like a score, not like a coordinate; give it as '
            'keypoint_score of an annotation dict, or as score of push, or save the '
            'coordinates alone, array[..., :2]'
        )


def body_size(keypoint: np.ndarray) -> np.ndarray:
    """Size of the first person: (M, T, V, C) -> sides (C,) of the box of its joints.

    In the middle of the frames that have one; zeros where none has.
    """
    seen = seen_joints(keypoint[0])  # (T, V)
    frames = np.flatnonzero(seen.any(axis=1))
    if not frames.size:
        return np.zeros(keypoint.shape[3])
    frame = frames[len(frames) // 2]
    return np.ptp(keypoint[0, frame, seen[frame]], axis=0)


def finite_joints(annotation: dict) -> np.ndarray:
    """Whose coordinates, and score where there is one, are numbers: bool (M, T, V)."""
    finite = ~any_coordinate(~np.isfinite(annotation['keypoint']))
    if 'keypoint_score' in annotation:
        finite &= np.isfinite(annotation['keypoint_score'])
    return finite


def measured(annotation: dict, non_finite: str, start: int = 0) -> dict:
    """The annotation, none of whose joints is NaN or infinite.

    Args:
        annotation: Dict with ``keypoint`` (M, T, V, C) and perhaps ``keypoint_score``.
        non_finite: What such a joint is. ``'error'``: an error; ``'zero'``: not
            measured, so it becomes zeros.
        start: Number of its first frame, for the message.

    Raises:
        ValueError: There is such a joint and it is an error.
    """
    stray = ~finite_joints(annotation)
    if not stray.any():
        return annotation
    if non_finite == 'zero':
        return zero_joints(annotation, stray)
    person, frame, joint = np.argwhere(stray)[0]
    raise ValueError(
        f'{np.count_nonzero(stray)} joints are NaN or infinite, the first is joint '
        f"{joint} of person {person} in frame {start + frame}; non_finite='zero' "
        '(--non-finite zero) takes them as not measured'
    )


def check_non_finite(non_finite: str) -> None:
    """Raises ValueError unless it is ``'error'`` or ``'zero'``."""
    if non_finite not in ('error', 'zero'):
        raise ValueError(f"non_finite={non_finite!r} must be 'error' or 'zero'.")


def zero_joints(annotation: dict, dropped: np.ndarray) -> dict:
    """The annotation with zeros for some joints: they were not measured.

    Args:
        annotation: Dict with ``keypoint`` (M, T, V, C) and perhaps ``keypoint_score``.
        dropped: Which joints, bool (M, T, V).
    """
    changed = {}
    for key in BY_PERSON & annotation.keys():
        changed[key] = np.array(annotation[key])
        changed[key][dropped] = 0
    return annotation | changed


def interpolate_joints(
    keypoint: np.ndarray, found: np.ndarray, times: np.ndarray | None = None
) -> np.ndarray:
    """A copy of a person's joints, with lines over the frames where one was not found.

    Before its first frame and after its last a joint stays where it was there. One that
    is found in no frame stays as it is.

    Args:
        keypoint: Joints, (T, V, C).
        found: Which were found, bool (T, V).
        times: When each frame is, ascending (T,); one apart where it is not given.
    """
    times = np.arange(len(keypoint)) if times is None else times
    keypoint = np.array(keypoint)
    for joint in np.flatnonzero(found.any(0) & ~found.all(0)):
        seen = found[:, joint]
        track = keypoint[:, joint]
        for line in track.T:
            line[~seen] = np.interp(times[~seen], times[seen], line[seen])
    return keypoint
