"""MSR-Action3D skeletons."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np

from .base import BadFileError, BaseConverter, train_and_val

_NAME = re.compile(r'(a(\d\d)_s(\d\d)_e\d\d)_skeleton3D\.txt')
_NUM_JOINTS = 20
# Table 1 of Li et al.
_SUBSETS = dict(
    as1=(2, 3, 5, 6, 10, 13, 18, 20),
    as2=(1, 4, 7, 8, 9, 11, 12, 14),
    as3=(6, 14, 15, 16, 17, 18, 19, 20),
)


class MSRAction3DConverter(BaseConverter):
    """Files ``aAA_sSS_eEE_skeleton3D.txt`` (action, subject, repetition).

    These are the real-world coordinates, in metres; files without ``3D`` in their names
    hold screen coordinates and are no source. A line is a joint, "x y z confidence",
    and 20 lines are a frame. Frames in which the person was lost are zeros and stay
    zeros: 20 sequences have some, a13_s09_e02 has no others.

    x points to the right of a person who faces the camera, y up, z away from the
    camera. Descriptions of the joints disagree about left and right. The second joint
    is the person's own right shoulder: waves, throws, punches and drawings, which were
    asked for with the right arm, move its arm.

    The standard protocol is cross-subject: odd subjects train, even ones test, over
    all actions or inside a subset of eight (``as1_train``, ``as1_val``, and so on;
    labels count over all 20). Li et al., Action Recognition Based on a Bag of 3D
    Points, CVPR Workshops 2010.
    """

    format = 'msr_action3d'
    layout = 'kinect_v1_msr_action3d'
    classes = (
        'high arm wave',
        'horizontal arm wave',
        'hammer',
        'hand catch',
        'forward punch',
        'high throw',
        'draw x',
        'draw tick',
        'draw circle',
        'hand clap',
        'two hand wave',
        'side boxing',
        'bend',
        'forward kick',
        'side kick',
        'jogging',
        'tennis swing',
        'tennis serve',
        'golf swing',
        'pick up and throw',
    )
    source = 'MSR-Action3D, real-world coordinates (Li et al., CVPR Workshops 2010)'
    files = (
        'files aAA_sSS_eEE_skeleton3D.txt, which are those of MSRAction3DSkeletonReal3D'
    )

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the name has the form of the set."""
        return _NAME.fullmatch(path.name) is not None

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        """Reads the one sequence of a file."""
        frame_dir, action, subject = _NAME.fullmatch(path.name).groups()
        if not 1 <= int(action) <= len(self.classes):
            raise BadFileError(f'the set has no action {action}')
        lines = [line for line in file if line.strip()]
        if not lines:
            raise BadFileError('no frames')
        try:
            table = np.loadtxt(lines, dtype=np.float32, comments=None, ndmin=2)
        except ValueError as error:
            raise BadFileError(f'no table of numbers: {error}') from error
        if table.shape[1] != 4 or len(table) % _NUM_JOINTS:
            raise BadFileError(
                f'{len(table)} lines of {table.shape[1]} values, expected lines of 4 '
                f'(x y z confidence), {_NUM_JOINTS} a frame'
            )
        keypoint = table[:, :3].reshape(1, -1, _NUM_JOINTS, 3)
        return [
            dict(
                frame_dir=frame_dir,
                label=int(action) - 1,
                keypoint=keypoint,
                total_frames=keypoint.shape[1],
                subject=int(subject),
            )
        ]

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """Cross-subject, over all actions and inside the three subsets."""
        splits = train_and_val(annotations, xsub=_trains)
        for name, actions in _SUBSETS.items():
            subset = [a for a in annotations if a['label'] + 1 in actions]
            splits |= train_and_val(subset, **{name: _trains})
        return splits


def _trains(annotation: dict) -> bool:
    return annotation['subject'] % 2 == 1
