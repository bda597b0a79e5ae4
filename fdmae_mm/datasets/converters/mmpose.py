"""Poses that mmpose predicted from videos."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import BinaryIO, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from .base import BadFileError
from .folder import LabelledConverter, check_joints

# A person moves less than this between frames, in diagonals of the box of its joints.
# Two persons side by side are about 0.3 apart, but each is closer to itself.
_MAX_MOTION = 0.5


class _Person(NamedTuple):
    """One person in one frame."""

    keypoint: np.ndarray  # (V, C)
    score: np.ndarray  # (V,)
    track_id: int | str | None


class MMPoseConverter(LabelledConverter):
    """Prediction files .json of mmpose 1.x, one a video.

    They are what ``MMPoseInferencer(pred_out_dir=...)`` writes for a video, a list of
    {frame_id, instances}, and what ``topdown_demo_with_mmdet.py``, ``bottomup_demo.py``
    and ``body3d_pose_lifter_demo.py`` write with ``--save-predictions``, the same under
    ``instance_info`` beside ``meta_info``. An instance has ``keypoints`` (V, 2 or 3)
    and ``keypoint_scores`` (V,). The prediction of a single image is refused.

    mmpose writes no identities. Persons are linked from frame to frame by the Hungarian
    method on the median distance of their joints, in units of the person's size; who
    is away for a while is found again near the last place. Instances that were given a
    ``track_id`` by another tool are linked by it. The persons with the highest sum of
    mean keypoint scores over the frames are kept, highest first; where one is not
    found, its joints are zeros.

    Two coordinates stay in pixels and come with ``keypoint_score`` (M, T, V) and,
    where it is given, ``img_shape``, which PreNormalize2D of MMAction2 takes; without
    it that assumes 1080 x 1920. Three coordinates come without scores, as MMAction2's
    GenSkeFeat asks for. mmpose turns them for its plots, height last; they are turned
    back, x to the left of the image, y up, z away from the camera. The lifter gives
    each person about its own root, so that distances between persons are lost.

    Numbers in ``frame_id`` that are left out are frames in which nobody is seen.

    A name ``results_NAME.json``, as the demos write it, counts as ``NAME``. Labels and
    splits: see :class:`LabelledConverter`.

    Args:
        layout: Name of a layout or path of a .json file, see :func:`read_layout`.
        max_persons: Persons kept of each video.
        img_shape: Height and width of the videos in pixels.
        seed: Seed of the split where it is drawn.

    Raises:
        ValueError: No such layout, or ``max_persons`` is below 1.
    """

    format = 'mmpose'
    source = 'predictions of mmpose from videos'
    files = 'files *.json of mmpose'
    suffixes = ('.json',)

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

    @staticmethod
    def name_of(path: PurePosixPath) -> str:
        """As of any file, without the ``results_`` of the demos."""
        return LabelledConverter.name_of(
            path.with_name(path.name.removeprefix('results_'))
        )

    def read_sample(self, path: PurePosixPath, file: BinaryIO) -> dict:
        """The persons of a video."""
        frames = self._read_frames(file)
        dims = {p.keypoint.shape[1] for people in frames for p in people}
        if not dims:
            raise BadFileError(f'no person in any of {len(frames)} frames')
        if len(dims) > 1:
            raise BadFileError('some keypoints have 2 coordinates and others 3')
        tracks = _tracks(frames)
        tracks.sort(key=lambda track: -sum(_mean_score(p) for p in track.values()))
        tracks = tracks[: self.max_persons]
        shape = (len(tracks), len(frames), self._skeleton.num_joints)
        keypoint = np.zeros((*shape, *dims), np.float32)
        score = np.zeros(shape, np.float32)
        for row, track in enumerate(tracks):
            for frame, person in track.items():
                keypoint[row, frame] = person.keypoint
                score[row, frame] = person.score
        if dims == {3}:
            return dict(keypoint=keypoint[..., [0, 2, 1]])
        size = dict(img_shape=tuple(self.img_shape)) if self.img_shape else {}
        return dict(keypoint=keypoint, keypoint_score=score, **size)

    def _read_frames(self, file: BinaryIO) -> list[list[_Person]]:
        """The persons of every frame, in the order of time."""
        try:
            record = json.load(file)
        except (RecursionError, ValueError) as error:
            raise BadFileError(f'no valid json: {error}') from error
        if isinstance(record, dict):
            record = record.get('instance_info')
        if not isinstance(record, list):
            raise BadFileError(
                'expected a list of frames, or a dict with such a list as '
                "'instance_info'"
            )
        if not all(
            isinstance(frame, dict) and isinstance(frame.get('instances'), list)
            for frame in record
        ):
            raise BadFileError(
                'not every entry is a frame {frame_id, instances}; mmpose leaves them '
                'out where its input was an image and not a video'
            )
        ids = [frame.get('frame_id', i) for i, frame in enumerate(record)]
        if not (
            all(isinstance(frame_id, int) for frame_id in ids)
            and all(a < b for a, b in pairwise(ids))
        ):
            raise BadFileError('frame_id does not count upwards')
        total = ids[-1] - ids[0] + 1 if ids else 0
        if total > 2 * len(ids):
            raise BadFileError(
                f'frame_id goes from {ids[0]} to {ids[-1]} in {len(ids)} frames: more '
                'than half are left out, so that it may not count frames'
            )
        frames = [[] for _ in range(total)]
        for frame_id, frame in zip(ids, record, strict=True):
            try:
                frames[frame_id - ids[0]] = list(map(self._person, frame['instances']))
            except BadFileError as error:
                raise BadFileError(f'frame {frame_id}: {error}') from error
        return frames

    def _person(self, instance: dict) -> _Person:
        try:
            keypoint = np.array(instance['keypoints'], dtype=np.float32)
            score = np.array(instance['keypoint_scores'], dtype=np.float32)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise BadFileError(
                'an instance must have keypoints and keypoint_scores, lists of '
                f'numbers: {type(error).__name__} {error}'
            ) from error
        if keypoint.ndim != 2 or keypoint.shape[1] not in (2, 3):
            raise BadFileError(
                f'keypoints have the shape {keypoint.shape}, expected (joints, 2 or 3)'
            )
        check_joints(len(keypoint), self._skeleton)
        if score.shape != keypoint.shape[:1]:
            raise BadFileError(
                f'keypoint_scores have the shape {score.shape}, expected '
                f'{keypoint.shape[:1]}'
            )
        track_id = instance.get('track_id')
        if not isinstance(track_id, (int, str, type(None))):
            raise BadFileError(f'track_id={track_id!r} must be a number or a name')
        return _Person(keypoint, score, track_id)


def _tracks(frames: list[list[_Person]]) -> list[dict[int, _Person]]:
    """Links persons over frames: for each, what was seen of it by frame.

    Raises:
        BadFileError: Some instances have a track_id and others none, or two of a frame
            have the same.
    """
    given = {person.track_id is not None for people in frames for person in people}
    if given == {True, False}:
        raise BadFileError('some instances have a track_id and others have none')
    if given == {False}:
        return _associate(frames)
    tracks = {}
    for frame, people in enumerate(frames):
        for person in people:
            track = tracks.setdefault(person.track_id, {})
            if frame in track:
                raise BadFileError(
                    f'two instances of frame {frame} have the track_id '
                    f'{person.track_id}'
                )
            track[frame] = person
    return list(tracks.values())


def _mean_score(person: _Person) -> float:
    return np.where(np.isfinite(person.score), person.score, 0).mean()


def _associate(frames: list[list[_Person]]) -> list[dict[int, _Person]]:
    """Links each person to the track whose last pose is nearest."""
    tracks, last, seen = [], [], []
    for frame, people in enumerate(frames):
        of = {}
        if tracks and people:
            cost = _distances(np.stack(last), np.stack([p.keypoint for p in people]))
            # Whoever is out of reach weighs nothing, and pushes nobody away. A track of
            # which nothing was seen for long gives way to one that was seen just now.
            near = np.maximum(_MAX_MOTION - cost, 0) / (frame - np.array(seen))[:, None]
            pairs = linear_sum_assignment(near, maximize=True)
            of = {i: t for t, i in zip(*pairs, strict=True) if near[t, i] > 0}
        for i, person in enumerate(people):
            if i not in of:
                of[i] = len(tracks)
                tracks.append({})
                last.append(person.keypoint)
                seen.append(frame)
            tracks[of[i]][frame] = person
            last[of[i]], seen[of[i]] = person.keypoint, frame
    return tracks


def _distances(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Distances of persons (A, V, C) and (B, V, C) in sizes of the first, (A, B).

    That of two persons is the median over the joints that both have, infinite where
    there are none.
    """
    before, now = (
        np.where(np.isfinite(pose).all(axis=-1, keepdims=True), pose, np.nan)
        for pose in (before, now)
    )
    distance = np.linalg.norm(before[:, None] - now, axis=-1)  # (A, B, V)
    distance[np.isnan(distance).all(axis=-1)] = np.inf
    box = np.fmax.reduce(before, axis=1) - np.fmin.reduce(before, axis=1)  # (A, C)
    size = np.linalg.norm(np.nan_to_num(box), axis=-1, keepdims=True)
    return np.nanmedian(distance, axis=-1) / np.maximum(size, np.finfo(np.float32).eps)
