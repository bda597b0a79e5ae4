"""Persons whom a pose estimator found frame by frame, linked over time."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..tracking import Track, choose, link
from .base import BadFileError
from .folder import LabelledConverter


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

    Persons with an identity are linked by it, others by their poses, see
    :func:`~fdmae_mm.datasets.tracking.link`. Which of them are kept, and in which
    order: see :func:`~fdmae_mm.datasets.tracking.choose`. In frames where one is not
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
        tracks = choose(_tracks(frames), self.max_persons, min_frames=1)
        shape = (len(tracks), len(frames), self._skeleton.num_joints)
        keypoint = np.zeros((*shape, *dims), np.float32)
        score = np.zeros(shape, np.float32)
        for row, track in enumerate(tracks):
            for frame, index in zip(track.frames, track.persons, strict=True):
                person = frames[frame][index]
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


def _tracks(frames: Sequence[Sequence[Person]]) -> list[Track]:
    """Links persons over frames.

    Raises:
        BadFileError: Some persons have an identity and others none.
    """
    given = {person.identity is not None for people in frames for person in people}
    if given == {True, False}:
        raise BadFileError('some persons have an identity and others have none')
    if given == {False}:
        return link(map(_poses, frames))
    tracks = defaultdict(Track)
    for frame, people in enumerate(frames):
        poses, scores = _poses(people)
        for k, person in enumerate(people):
            tracks[person.identity].append(frame, k, poses[k], scores[k])
    return list(tracks.values())


def _poses(people: Sequence[Person]) -> tuple[np.ndarray, np.ndarray]:
    """Joints (N, V, C) and scores (N, V) of a frame, both 0 where nothing was measured.

    Scores that tell nothing of a person are 1.
    """
    if not people:
        return np.empty((0, 0, 0), np.float32), np.empty((0, 0), np.float32)
    keypoint = np.stack([person.keypoint for person in people])
    there = np.isfinite(keypoint).all(-1) & keypoint.any(-1)
    score = np.stack([person.score for person in people])
    score = np.where(there & np.isfinite(score), score, 0).clip(min=0)
    score = np.where(score.any(-1, keepdims=True), score, there)
    return np.where(there[..., None], keypoint, 0), score.astype(np.float32)
