"""UTD Multimodal Human Action Dataset skeletons."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
from scipy.io import loadmat

from .base import BadFileError, BaseConverter, train_and_val

_NAME = re.compile(r'(a(\d+)_s(\d+)_t\d+)_skeleton\.mat')
_NUM_JOINTS = 20


class UTDMHADConverter(BaseConverter):
    """Files ``aA_sS_tT_skeleton.mat`` (action, subject, repetition).

    A file is a MATLAB 5 file with ``d_skel``, (20, 3, T) in metres. Reading it runs
    nothing: MATLAB 5 files hold data only, and no other variable is read.

    x points to the right of a person who faces the camera, y up, z away from the
    camera. Left and right are the person's own: the wrist called right makes the
    swipes, waves and drawings that the owners describe as of the right arm.

    The standard protocol is cross-subject: odd subjects train, even ones test. Class
    names are those of the owners. Chen et al., UTD-MHAD: A Multimodal Dataset for Human
    Action Recognition Utilizing a Depth Camera and a Wearable Inertial Sensor,
    ICIP 2015.
    """

    format = 'utd_mhad'
    layout = 'kinect_v1_utd_mhad'
    classes = (
        'right arm swipe to the left',
        'right arm swipe to the right',
        'right hand wave',
        'two hand front clap',
        'right arm throw',
        'cross arms in the chest',
        'basketball shooting',
        'draw x',
        'draw circle clockwise',
        'draw circle counter clockwise',
        'draw triangle',
        'bowling',
        'front boxing',
        'baseball swing from right',
        'tennis forehand swing',
        'arm curl',
        'tennis serve',
        'two hand push',
        'knock on door',
        'hand catch',
        'pick up and throw',
        'jogging',
        'walking',
        'sit to stand',
        'stand to sit',
        'forward lunge',
        'squat',
    )
    source = 'UTD-MHAD (Chen et al., ICIP 2015)'
    files = 'files aA_sS_tT_skeleton.mat'

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the name has the form of the set."""
        return _NAME.fullmatch(path.name) is not None

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        """Reads the one sequence of a file."""
        frame_dir, action, subject = _NAME.fullmatch(path.name).groups()
        if not 1 <= int(action) <= len(self.classes):
            raise BadFileError(f'the set has no action {action}')
        try:
            content = loadmat(file, variable_names=['d_skel'])
        # A damaged file can raise nearly anything.
        except Exception as error:
            raise BadFileError(f'no readable MATLAB 5 file: {error}') from error
        if 'd_skel' not in content:
            raise BadFileError("no 'd_skel'")
        skeleton = content['d_skel']
        if (
            skeleton.dtype.kind not in 'fiu'
            or skeleton.ndim != 3
            or skeleton.shape[:2] != (_NUM_JOINTS, 3)
        ):
            raise BadFileError(
                f'd_skel is {skeleton.dtype} of the shape {skeleton.shape}, expected '
                f'numbers of the shape ({_NUM_JOINTS}, 3, frames)'
            )
        keypoint = np.ascontiguousarray(skeleton.transpose(2, 0, 1), np.float32)
        return [
            dict(
                frame_dir=frame_dir,
                label=int(action) - 1,
                keypoint=keypoint[None],
                total_frames=len(keypoint),
                subject=int(subject),
            )
        ]

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """Cross-subject."""
        return train_and_val(annotations, xsub=lambda a: a['subject'] % 2 == 1)
