"""Poses that OpenPose found in videos."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np

from .base import BadFileError, read_json
from .folder import LabelledConverter, check_joints
from .persons import Person, PersonsConverter, check_identities

_FRAME = re.compile(r'(?P<name>.*?)_?(?P<number>[0-9]+)_keypoints\.json')


class OpenPoseConverter(PersonsConverter):
    """Files of OpenPose, one a frame, as ``--write_json`` leaves them of a video.

    A file ``NAME_000000000000_keypoints.json`` has the ``people`` of a frame; of each
    ``pose_keypoints_2d`` is read, x, y and score of joint after joint; before version
    1.1 it was ``pose_keypoints``. Format and order of the joints:
    https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md

    Of a video NAME is its name. Of images, ``--image_dir``, the file is called
    ``IMAGE_keypoints.json``, and the digits that IMAGE ends in are the number. Of a
    camera there is no NAME: that of the folder is taken.

    The files of one NAME in one folder are a sample, ``FOLDER/NAME``. Its frames are
    those from the first number to the last, at the step of ``--frame_step``; a frame
    without a file is empty, and a clip of which more than half is missing is refused.
    Without a table the classes are folders, in one of two shapes::

        CLASS/NAME_000000000000_keypoints.json         many clips in a folder
        CLASS/CLIP/NAME_000000000000_keypoints.json    a folder a clip

    A folder in another one is a clip where neither it nor any folder beside it holds
    more than one NAME; a source of both shapes is refused. In a table, ``file`` is
    ``FOLDER/NAME``, or the folder where it holds one NAME alone.

    Coordinates are pixels, unless OpenPose was told otherwise by ``--keypoint_scale``,
    and come with ``keypoint_score`` (M, T, V) and, where it is given, ``img_shape``,
    which SkeletonFlip takes, and MMAction2's PreNormalize2D for models of its own. A
    joint that was not found is zeros. Persons with a ``person_id`` other than -1 are
    linked by it; how others are linked and chosen: see :class:`PersonsConverter`.
    Splits: see :class:`LabelledConverter`.

    The files of a clip are read one after the other, so a compressed tar in which clips
    are mixed is read once for each of them: unpack it.

    Args:
        layout: Name of a layout or path of a .json file, see :func:`read_layout`.
            BODY_25 is the default of OpenPose; its COCO model is ``openpose``.
        max_persons: Persons kept of each video.
        img_shape: Height and width of the videos in pixels.
        seed: Seed of the split where it is drawn.

    Raises:
        ValueError: No such layout, or ``max_persons`` is below 1.
    """

    format = 'openpose'
    source = 'poses that OpenPose found in videos'
    files = 'files NAME_NUMBER_keypoints.json'
    default_layout = 'openpose_body25'

    def __init__(
        self,
        layout: str = default_layout,
        max_persons: int = 2,
        img_shape: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(layout, max_persons, img_shape, seed)
        self._parents_of_classes: set[PurePosixPath] = set()

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the name is that of a frame."""
        return _FRAME.fullmatch(path.name) is not None

    @staticmethod
    def name_of(path: PurePosixPath) -> str:
        """Of the file of a frame the path without number and ending."""
        frame = _FRAME.fullmatch(path.name)
        if frame:
            path = path.with_name(frame['name'] or path.parent.name or 'camera')
        return LabelledConverter.name_of(path)

    def group_of(self, path: PurePosixPath) -> PurePosixPath:
        """The clip of a frame."""
        return PurePosixPath(self.name_of(path))

    def prepare(self, paths: Sequence[PurePosixPath]) -> None:
        """Finds out which folders are clips and which are classes.

        Raises:
            BadFileError: There are both, and no table; or the table lists a clip twice.
        """
        clips = {}
        for path in paths:
            clips.setdefault(path.parent, set()).add(self.name_of(path))
        self._parents_of_classes = {
            folder.parent for folder, names in clips.items() if len(names) > 1
        }
        if self._table is None:
            self._check_shape(clips)
        rows, self._rows = self._rows, {}
        alone = {
            LabelledConverter.name_of(folder): next(iter(names))
            for folder, names in clips.items()
            if len(names) == 1
        }
        for listed, row in rows.items():
            name = alone.get(listed, listed)
            if name in self._rows:
                raise BadFileError(f'{self._table} lists {name} a second time.')
            self._rows[name] = row
        super().prepare(paths)

    def _check_shape(self, folders: Iterable[PurePosixPath]) -> None:
        example = {self._is_clip(folder): folder for folder in folders}
        if len(example) > 1:
            raise BadFileError(
                f'{example[True]} looks like the folder of a clip and {example[False]} '
                'like that of a class. Make all CLASS/CLIP/NAME_..._keypoints.json, or '
                'all CLASS/NAME_..._keypoints.json, or list the clips in labels.csv.'
            )

    def _is_clip(self, folder: PurePosixPath) -> bool:
        parent = folder.parent
        return bool(parent.name) and parent not in self._parents_of_classes

    def class_of(self, path: PurePosixPath) -> str:
        """The folder of the clip, or the one above if that holds nothing else."""
        folder = path.parent
        return (folder.parent if self._is_clip(folder) else folder).name

    def parse_group(
        self,
        group: PurePosixPath,
        files: Iterable[tuple[PurePosixPath, BinaryIO]],
    ) -> list[dict]:
        """Reads the frames of a clip and labels it."""
        return [self.annotate(group, lambda: self._read_clip(files))]

    def read_sample(self, path: PurePosixPath, file: BinaryIO) -> dict:
        """The persons of a clip of one frame."""
        return self._read_clip([(path, file)])

    def _read_clip(self, files: Iterable[tuple[PurePosixPath, BinaryIO]]) -> dict:
        found = {}
        for path, file in files:
            number = int(_FRAME.fullmatch(path.name)['number'])
            if number in found:
                raise BadFileError(f'a second file of frame {number}')
            try:
                found[number] = self._read_frame(file)
            except BadFileError as error:
                raise BadFileError(f'frame {number}: {error}') from error
        first, last = min(found), max(found)
        step = int(np.gcd.reduce(np.diff(sorted(found)))) or 1
        numbers = range(first, last + 1, step)
        if len(numbers) > 2 * len(found):
            raise BadFileError(
                f'only {len(found)} of {len(numbers)} frames from {first} to {last} '
                'have a file'
            )
        return self.sample_of([found.get(number, ()) for number in numbers])

    def _read_frame(self, file: BinaryIO) -> list[Person]:
        record = read_json(file)
        people = record.get('people') if isinstance(record, dict) else None
        if not isinstance(people, list):
            raise BadFileError("expected a dict with a list of 'people'")
        # Some are found by face or hands alone.
        found = [p for p in map(self._person, people) if p.keypoint.any()]
        check_identities(found)
        return found

    def _person(self, entry: dict) -> Person:
        try:
            old = 'pose_keypoints' in entry
            joints = entry['pose_keypoints' if old else 'pose_keypoints_2d']
            joints = np.array(joints, np.float32).reshape(-1, 3)
            (identity,) = map(int, entry.get('person_id', [-1]))
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise BadFileError(
                'a person must have pose_keypoints_2d, three numbers a joint, and '
                'person_id, if any, must be a list of one number: '
                f'{type(error).__name__} {error}'
            ) from error
        check_joints(len(joints), self._skeleton)
        return Person(joints[:, :2], joints[:, 2], None if identity == -1 else identity)
