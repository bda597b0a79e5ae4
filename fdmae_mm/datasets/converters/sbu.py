"""SBU Kinect Interaction skeletons."""

from __future__ import annotations

import re
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np

from .base import BadFileError, BaseConverter, train_and_val

_PATH = re.compile(r'(?:.*/)?(s\d\ds\d\d)/(\d\d)/(\d\d\d)/skeleton_pos\.txt')
# Of Yun et al.; each is what one fold holds out.
_FOLDS = (
    ('s01s02', 's03s04', 's05s02', 's06s04'),
    ('s02s03', 's02s07', 's03s05', 's05s03'),
    ('s01s03', 's01s07', 's07s01', 's07s03'),
    ('s02s01', 's02s06', 's03s02', 's03s06'),
    ('s04s02', 's04s03', 's04s06', 's06s02', 's06s03'),
)
_NUM_PERSONS, _NUM_JOINTS = 2, 15
_NUM_COLUMNS = 1 + _NUM_PERSONS * _NUM_JOINTS * 3


class SBUConverter(BaseConverter):
    """Files ``sXXsYY/CC/NNN/skeleton_pos.txt`` (two persons, action, repetition).

    A line is a frame: its number, which counts from anywhere, then the normalised
    x, y, z of 15 joints of two persons. The owners' formula, here in metres, undoes
    the normalisation: 1.28 - 2.56 x, 0.96 - 1.92 y, 1.28 z. Then y points up (heads
    are above feet), z away from the camera and x to the right of a person who faces
    it. Left and right are the person's own: hands are shaken right in right.

    Both persons are always there and keep the order of the file; it does not tell who
    acts. Widely copied loaders name the actions 4 to 8 in another order, which the
    skeletons contradict: hands join in action 5, bodies in 6, and 8 is done with one
    right hand.

    The standard protocol is five-fold: ``fold1_val`` holds four of the 21 ordered
    pairs, ``fold1_train`` the others, and so on; the last fold holds out five pairs.
    Yun et al., Two-person Interaction Detection Using Body-Pose Features and Multiple
    Instance Learning, CVPR Workshops 2012.
    """

    format = 'sbu'
    layout = 'sbu'
    classes = (
        'approach',
        'depart',
        'kick',
        'push',
        'shake hands',
        'hug',
        'exchange objects',
        'punch',
    )
    source = 'SBU Kinect Interaction (Yun et al., CVPR Workshops 2012)'
    files = 'files sXXsYY/CC/NNN/skeleton_pos.txt'

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether file and folders are named as those of the set."""
        return _PATH.fullmatch(str(path)) is not None

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        """Reads the one sequence of a file."""
        pair, action, repetition = _PATH.fullmatch(str(path)).groups()
        if not any(pair in fold for fold in _FOLDS):
            raise BadFileError(f'the set has no pair {pair}')
        if not 1 <= int(action) <= len(self.classes):
            raise BadFileError(f'the set has no action {action}')
        # Some copies end lines with a comma.
        lines = [row for line in file if (row := line.rstrip(b', \t\r\n'))]
        if not lines:
            raise BadFileError('no frames')
        try:
            table = np.loadtxt(lines, delimiter=',', comments=None, ndmin=2)
        except ValueError as error:
            raise BadFileError(f'no table of numbers: {error}') from error
        if table.shape[1] != _NUM_COLUMNS:
            raise BadFileError(
                f'its lines have {table.shape[1]} values, expected {_NUM_COLUMNS}: '
                f'a frame number and {_NUM_PERSONS} persons of {_NUM_JOINTS} joints'
            )
        keypoint = table[:, 1:].reshape(-1, _NUM_PERSONS, _NUM_JOINTS, 3)
        keypoint = (1.28, 0.96, 0) + keypoint * (-2.56, -1.92, 1.28)  # metres
        return [
            dict(
                frame_dir=f'{pair}_{action}_{repetition}',
                label=int(action) - 1,
                keypoint=keypoint.swapaxes(0, 1).astype(np.float32),
                total_frames=len(table),
                pair=pair,
            )
        ]

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """Five folds by pairs."""
        rules = {f'fold{n}': partial(_trains, fold) for n, fold in enumerate(_FOLDS, 1)}
        return train_and_val(annotations, **rules)


def _trains(held_out: tuple[str, ...], annotation: dict) -> bool:
    return annotation['pair'] not in held_out
