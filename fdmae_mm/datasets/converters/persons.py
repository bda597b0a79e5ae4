"""Persons whom a pose estimator found frame by frame, linked over time."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from .base import BadFileError
from .folder import LabelledConverter

# A person moves less than this between frames, in diagonals of the box of its joints.
# Two persons side by side are about 0.3 apart, but each is closer to itself.
_MAX_MOTION = 0.5


class Person(NamedTuple):
    """One person in one frame.

    Attributes:
        keypoint: Joints (V, C); zeros where one was not measured.
        score: Score of each joint, (V,).
        identity: What an earlier tracker calls the person, None where there was none.
    """

    keypoint: np.ndarray
    score: np.ndarray
    identity: int | str | None


class PersonsConverter(LabelledConverter):
    """Files that say who is in each frame, not who is who.

    Persons are linked from frame to frame by the Hungarian method on the median
    distance of the joints that were measured in both, in units of the size of the
    person, which is the larger one of the two poses; who is away for a while is found
    again near the last place. Persons with an identity are linked by it. Those with the
    highest sum of mean scores over the frames are kept, highest first; where one is not
    found, its joints are zeros.

    Labels and splits: see :class:`LabelledConverter`.

    Args:
        layout: Name of a layout or path of a .json file, see :func:`read_layout`.
        max_persons: Persons kept of each video.
        img_shape: Height and width of the videos in pixels.
        seed: Seed of the split where it is drawn.

    Raises:
        ValueError: No such layout, or ``max_persons`` or a side of ``img_shape`` is
            below 1.
    """

    def __init__(
        self,
        layout: str,
        max_persons: int = 2,
        img_shape: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(layout, seed)
        if max_persons < 1:
            raise ValueError(f'max_persons={max_persons} must be at least 1.')
        if img_shape is not None and min(img_shape) < 1:
            raise ValueError(f'img_shape={img_shape} must be at least 1 x 1.')
        self.max_persons = max_persons
        self.img_shape = img_shape

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Those of labels and layout, persons and size of the image."""
        super().add_arguments(parser)
        parser.add_argument(
            '--max-persons', type=int, default=2, help='persons kept of each video'
        )
        parser.add_argument(
            '--img-shape',
            type=int,
            nargs=2,
            metavar=('HEIGHT', 'WIDTH'),
            help='size of the videos in pixels, for 2-D poses',
        )

    def sample_of(self, frames: Sequence[Sequence[Person]]) -> dict:
        """Makes a sample of the persons in each frame.

        Returns:
            ``keypoint`` (M, T, V, C), and for two coordinates ``keypoint_score``
            (M, T, V) and, where it is known, ``img_shape``.

        Raises:
            BadFileError: Nobody is there, some have two coordinates and others three,
                or some have an identity and others none.
        """
        dims = {p.keypoint.shape[1] for people in frames for p in people}
        if not dims:
            raise BadFileError(f'no person in any of {len(frames)} frames')
        if len(dims) > 1:
            raise BadFileError('some keypoints have 2 coordinates and others 3')
        tracks = _tracks(frames)
        tracks.sort(key=_importance, reverse=True)
        tracks = tracks[: self.max_persons]
        shape = (len(tracks), len(frames), self._skeleton.num_joints)
        keypoint = np.zeros((*shape, *dims), np.float32)
        score = np.zeros(shape, np.float32)
        for row, track in enumerate(tracks):
            for frame, person in track.items():
                keypoint[row, frame] = person.keypoint
                score[row, frame] = person.score
        if dims == {3}:
            return dict(keypoint=keypoint)
        size = dict(img_shape=tuple(self.img_shape)) if self.img_shape else {}
        return dict(keypoint=keypoint, keypoint_score=score, **size)


def check_identities(people: Sequence[Person]) -> None:
    """Raises BadFileError where two persons of a frame have the same identity."""
    known = [p.identity for p in people if p.identity is not None]
    if twice := [identity for identity in known if known.count(identity) > 1]:
        raise BadFileError(f'two persons have the identity {twice[0]}')


def _importance(track: dict[int, Person]) -> float:
    """Sum over the frames of the mean score."""
    return sum(
        np.nan_to_num(p.score, posinf=0, neginf=0).mean() for p in track.values()
    )


def _tracks(frames: Sequence[Sequence[Person]]) -> list[dict[int, Person]]:
    """Links persons over frames: for each, what was seen of it by frame.

    Raises:
        BadFileError: Some persons have an identity and others none.
    """
    given = {person.identity is not None for people in frames for person in people}
    if given == {True, False}:
        raise BadFileError('some persons have an identity and others have none')
    if given == {False}:
        return _associate(frames)
    tracks = {}
    for frame, people in enumerate(frames):
        for person in people:
            tracks.setdefault(person.identity, {})[frame] = person
    return list(tracks.values())


def _associate(frames: Sequence[Sequence[Person]]) -> list[dict[int, Person]]:
    """Links each person to the track whose last pose is nearest."""
    tracks, last, seen = [], [], []
    for frame, people in enumerate(frames):
        now, of = [_measured(person.keypoint) for person in people], {}
        if tracks and people:
            # Whoever is out of reach weighs nothing, and pushes nobody away, as does
            # who has no joint in common: there the distance is NaN. A track of which
            # nothing was seen for long gives way to one that was seen just now.
            near = np.fmax(_MAX_MOTION - _distance(np.stack(last), np.stack(now)), 0)
            near /= (frame - np.array(seen))[:, None]
            pairs = linear_sum_assignment(near, maximize=True)
            of = {i: t for t, i in zip(*pairs, strict=True) if near[t, i] > 0}
        for i, person in enumerate(people):
            if i not in of:
                of[i] = len(tracks)
                tracks.append({})
                last.append(now[i])
                seen.append(frame)
            tracks[of[i]][frame] = person
            last[of[i]], seen[of[i]] = now[i], frame
    return tracks


def _measured(keypoint: np.ndarray) -> np.ndarray:
    """A pose (V, C) with NaN for the joints that were not measured."""
    there = np.isfinite(keypoint).all(-1) & keypoint.any(-1)
    return np.where(there[:, None], keypoint, np.nan)


def _distance(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """How far apart poses are, in diagonals of the box of the larger one.

    Args:
        before: Poses (K, V, C), NaN where a joint was not measured.
        now: Poses (N, V, C).

    Returns:
        Median over the common joints, (K, N), NaN for those without any.
    """
    distance = np.linalg.norm(before[:, None] - now, axis=-1)
    distance.sort()  # NaN last; np.nanmedian would warn where there is nothing else
    count = np.isfinite(distance).sum(-1, keepdims=True)
    middle = np.concatenate([(count - 1) // 2, count // 2], -1)
    median = np.take_along_axis(distance, middle, -1).mean(-1)
    size = np.maximum(_size(before)[:, None], _size(now))
    return median / np.maximum(size, np.finfo(np.float32).eps)


def _size(poses: np.ndarray) -> np.ndarray:
    """Diagonals of the boxes around the measured joints, (N, V, C) -> (N,)."""
    return np.linalg.norm(np.fmax.reduce(poses, 1) - np.fmin.reduce(poses, 1), axis=-1)
