"""Poses that mmpose predicted from videos."""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np

from ..layouts import LAYOUTS
from .base import BadFileError, read_json
from .folder import LabelledConverter, check_joints
from .persons import Person, PersonsConverter, check_identities


class MMPoseConverter(PersonsConverter):
    """Prediction files .json of mmpose 1.x, one a video.

    They are what ``MMPoseInferencer(pred_out_dir=...)`` writes for a video, a list of
    {frame_id, instances}, and what ``topdown_demo_with_mmdet.py``, ``bottomup_demo.py``
    and ``body3d_pose_lifter_demo.py`` write with ``--save-predictions``, the same under
    ``instance_info`` beside ``meta_info``. An instance has ``keypoints`` (V, 2 or 3)
    and ``keypoint_scores`` (V,). The prediction of a single image is refused.

    mmpose writes no identities; instances that were given a ``track_id`` by another
    tool are linked by it. How others are linked and chosen: see
    :class:`PersonsConverter`.

    Two coordinates stay in pixels and come with ``keypoint_score`` (M, T, V) and, where
    it is given, ``img_shape``, which SkeletonFlip takes, and MMAction2's PreNormalize2D
    for models of its own. Three coordinates come without scores, as MMAction2's
    GenSkeFeat asks for. mmpose turns them for its plots, height last; they are turned
    back, x to the left of the image, y up, z away from the camera. The lifter gives
    each person about its own root, so that distances between persons are lost.

    Numbers in ``frame_id`` that are left out are frames in which nobody is seen.

    A name ``results_NAME.json``, as the demos write it, counts as ``NAME``. Labels and
    splits: see :class:`LabelledConverter`. Arguments and errors are those of
    :class:`PersonsConverter`.
    """

    format = 'mmpose'
    source = 'predictions of mmpose from videos'
    files = 'files *.json of mmpose'
    suffixes = ('.json',)

    @staticmethod
    def name_of(path: PurePosixPath) -> str:
        """As of any file, without the ``results_`` of the demos."""
        return LabelledConverter.name_of(
            path.with_name(path.name.removeprefix('results_'))
        )

    def read_sample(self, path: PurePosixPath, file: BinaryIO) -> dict:
        """The persons of a video."""
        sample = self.sample_of(self._read_frames(file))
        if sample['keypoint'].shape[3] == 3:
            sample['keypoint'] = sample['keypoint'][..., [0, 2, 1]]
        return sample

    def _read_frames(self, file: BinaryIO) -> list[list[Person]]:
        """The persons of every frame, in the order of time."""
        record = read_json(file)
        if isinstance(record, dict) and 'people' in record:
            raise BadFileError('one frame of OpenPose; its format is openpose')
        if isinstance(record, dict):
            self._check_names(record.get('meta_info'))
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
                'not every entry is a frame {frame_id, instances}; ' + _kind_of(record)
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
                people = [self._person(person) for person in frame['instances']]
                check_identities(people)
            except BadFileError as error:
                raise BadFileError(f'frame {frame_id}: {error}') from error
            frames[frame_id - ids[0]] = people
        return frames

    def _check_names(self, meta: object) -> None:
        """Refuse a file whose own names of its joints are those of another layout."""
        names = meta.get('keypoint_id2name') if isinstance(meta, dict) else None
        if not isinstance(names, dict):
            return
        joints = tuple(names.get(str(i)) for i in range(len(names)))
        fit = sorted(n for n, known in LAYOUTS.items() if known.joints == joints)
        if fit and joints != self._skeleton.joints:
            raise BadFileError(
                f'its joints are those of the layout {fit[0]!r}, not of '
                f'{self._skeleton.name!r}: --layout {fit[0]}'
            )

    def _person(self, instance: dict) -> Person:
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
        return Person(keypoint, score, track_id)


def _kind_of(record: list) -> str:
    """What a list that holds no frames of mmpose is instead, and the way out."""
    keys = next((set(entry) for entry in record if isinstance(entry, dict)), set())
    if {'keypoints', 'keypoint_scores'} <= keys:
        return 'it is the prediction of an image: run mmpose on the video'
    if {'keypoints', 'image_id'} <= keys:
        return (
            'it seems to be of AlphaPose: save arrays (persons, frames, joints, '
            'coordinates) and take the format folder'
        )
    found = f'entries with {sorted(map(str, keys))}' if keys else 'no dicts'
    return f'found {found}'
