"""Northwestern-UCLA Multiview Action 3D skeletons."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np

from .base import BadFileError, BaseConverter, read_json, train_and_val

_NAME = re.compile(r'(a(\d\d)_s(\d\d)_e\d\d_v(\d\d))\.json')
# The actions that the set has, in the order of the labels in its files, 1 to 10.
_ACTIONS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
_NUM_JOINTS = 20


class NWUCLAConverter(BaseConverter):
    """Files ``aAA_sSS_eEE_vVV.json`` (action, subject, repetition, view).

    A file is {"file_name", "skeletons": (T, 20, 3) in metres, "label": 1 to 10}. The
    file name and the label must name the same action. Sequences of one frame are kept.

    The standard protocol is cross-view: views 1 and 2 train, view 3 tests. Class names
    are those of Wang et al., Cross-view Action Modeling, Learning and Recognition,
    CVPR 2014.
    """

    format = 'nw_ucla'
    layout = 'kinect_v1'
    classes = (
        'pick up with one hand',
        'pick up with two hands',
        'drop trash',
        'walk around',
        'sit down',
        'stand up',
        'donning',
        'doffing',
        'throw',
        'carry',
    )
    source = 'Northwestern-UCLA Multiview Action 3D (Wang et al., CVPR 2014)'
    files = 'files aAA_sSS_eEE_vVV.json'

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the name has the form of the set."""
        return _NAME.fullmatch(path.name) is not None

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        """Reads the one sequence of a file."""
        frame_dir, action, subject, view = _NAME.fullmatch(path.name).groups()
        record = read_json(file)
        if not isinstance(record, dict):
            raise BadFileError(f'expected a dict, found a {type(record).__name__}')
        if missing := {'file_name', 'skeletons', 'label'} - record.keys():
            raise BadFileError(f'no {sorted(missing)}')
        if record['file_name'] != frame_dir:
            raise BadFileError(f'its file_name is {record["file_name"]!r}')
        if int(action) not in _ACTIONS:
            raise BadFileError(f'the set has no action {action}')
        label = _ACTIONS.index(int(action))
        if record['label'] != label + 1:
            raise BadFileError(
                f'its label is {record["label"]!r}, but action {action} has the label '
                f'{label + 1}'
            )
        try:
            keypoint = np.array(record['skeletons'], dtype=np.float32)
        except (OverflowError, TypeError, ValueError) as error:
            raise BadFileError(f'skeletons is no array of numbers: {error}') from error
        if keypoint.ndim != 3 or keypoint.shape[1:] != (_NUM_JOINTS, 3):
            raise BadFileError(
                f'skeletons has the shape {keypoint.shape}, expected '
                f'(frames, {_NUM_JOINTS}, 3)'
            )
        return [
            dict(
                frame_dir=frame_dir,
                label=label,
                keypoint=keypoint[None],
                total_frames=len(keypoint),
                subject=int(subject),
                view=int(view),
            )
        ]

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """Cross-view."""
        return train_and_val(annotations, xview=lambda a: a['view'] != 3)
