"""From a video to an annotation, by mmpose: boxes, poses, tracks, three dimensions.

pip install "fdmae_mm[pose]"
pip install --no-deps mmpose==1.3.2
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import cv2
import numpy as np
from mmengine.logging import print_log
from mmengine.utils import ProgressBar

from ..datasets.annotation import load_annotation, save_annotation
from ..datasets.converters import BadFileError, LabelledConverter, convert
from ..datasets.converters.folder import layout_entry
from ..datasets.layouts import LAYOUTS
from ..datasets.tracking import choose, link
from ..files import printable
from .poses import Detector, FramePoses, PoseLifter, layout_of, load_pose_model

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm')


class Video:
    """The frames of a video, one after the other.

    Not mmcv's VideoReader: it seeks where the container counts frames otherwise than
    the decoder, and keeps frames.

    Args:
        path: A file that OpenCV can decode.

    Attributes:
        fps: Frames a second, 0 where the file does not tell.
        expected: Frames that the file announces; not always right.
        decoded: Frames that were read so far.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be decoded, or has no frames.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'There is no video {path}.')
        self._capture = cv2.VideoCapture(str(path))
        found, self._first = self._capture.read()
        if not found:
            raise ValueError(
                f'{path}: no frame can be decoded. It is no video, damaged, or in a '
                'format that this OpenCV lacks: `ffmpeg -i IN -c:v libx264 OUT.mp4` '
                'makes one that it reads.'
            )
        self.img_shape = self._first.shape[:2]
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.decoded = 0
        self.expected = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Frames (H, W, 3), uint8, BGR. They can be read once."""
        found, frame = True, self._first
        while found:
            self.decoded += 1
            yield frame
            found, frame = self._capture.read()
        self._capture.release()


class VideoPoseEstimator:
    """Poses of the persons in a video, as an annotation of MMAction2.

    ``VideoPoseEstimator(config, weights, detector=...)('clip.mp4')``. Persons are
    followed over the frames by :func:`fdmae_mm.datasets.tracking.link`; whoever is not
    seen in a frame is zeros in it. Memory holds a batch of frames, and the poses.

    Args:
        config: A 2-D config of mmpose, or the bare name of one that mmpose ships:
            top-down, or one that finds persons by itself (bottom-up, one-stage).
        weights: Its checkpoint.
        device: Where the models go; by default a GPU if there is one.
        detector: Where a top-down model looks for persons: a function from a frame
            (H, W, 3), uint8, BGR, to boxes (N, 5) of left, top, right, bottom, score;
            ``'whole_image'``, one person who fills every frame; None for a model that
            finds persons by itself. See :func:`fdmae_mm.apis.poses.mmdet_detector`.
        lifter_config: A config of mmpose that lifts to ``h36m``, or its name. Without
            it poses stay 2-D. See :class:`fdmae_mm.apis.poses.PoseLifter`.
        lifter_weights: Its checkpoint.
        max_persons: Persons kept of each video, see
            :func:`fdmae_mm.datasets.tracking.choose`.
        min_score: Boxes and one-stage persons of a lower score are left out.
        max_gap: Frames for which a person can be lost and found again.
        min_frames: Who is seen in fewer frames is dropped, unless the video is shorter.
        batch_size: Persons that go through the 2-D model at once.
        show_progress: Show a progress bar on stderr.

    Raises:
        ImportError: mmpose is not installed.
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: Weights do not fit their config, the detector does not fit the
            model, the lifter not the 2-D model, or a number is out of range.
    """

    def __init__(
        self,
        config: str | os.PathLike,
        weights: str | os.PathLike,
        device: str | None = None,
        detector: Detector | str | None = None,
        lifter_config: str | os.PathLike | None = None,
        lifter_weights: str | os.PathLike | None = None,
        max_persons: int = 2,
        min_score: float = 0.3,
        max_gap: int = 30,
        min_frames: int = 5,
        batch_size: int = 32,
        show_progress: bool = False,
    ) -> None:
        for name, value, least in (
            ('max_persons', max_persons, 1),
            ('max_gap', max_gap, 0),
            ('min_frames', min_frames, 1),
            ('batch_size', batch_size, 1),
        ):
            if value < least:
                raise ValueError(f'{name}={value} must be at least {least}.')
        if (lifter_config is None) != (lifter_weights is None):
            raise ValueError('lifter_config and lifter_weights belong together.')
        model = load_pose_model(config, weights, device)
        self.poses = FramePoses(model, detector, min_score, batch_size)
        self.layout = layout_of(model.dataset_meta)
        self.lifter = None
        if lifter_config is not None:
            lifter = load_pose_model(lifter_config, lifter_weights, device)
            self.lifter = PoseLifter(lifter, model.dataset_meta['dataset_name'])
            self.layout = LAYOUTS['h36m']
        self.max_persons = max_persons
        self.max_gap = max_gap
        self.min_frames = min_frames
        self.show_progress = show_progress

    def __call__(self, path: str | os.PathLike) -> dict:
        """Reads a video.

        Returns:
            ``frame_dir``, the name of the file; ``keypoint`` (M, T, V, C) float32;
            ``total_frames``; ``img_shape``; ``fps``, where the file tells it; and
            ``layout``, as :func:`fdmae_mm.datasets.layouts.get_layout` takes it.
            Without a lifter C is 2, in pixels, with ``keypoint_score`` (M, T, V); with
            one it is 3, in metres, without scores, as models of 3-D joints take it.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It cannot be decoded, or nobody is seen long enough.
        """
        video = Video(path)
        tracks = link(self.poses(self._shown(video)), self.max_gap)
        total_frames = video.decoded
        if total_frames < 0.9 * video.expected:
            print_log(
                f'{path}: {total_frames} of {video.expected} announced frames can be '
                'decoded; the file may be incomplete.',
                logger='current',
                level=logging.WARNING,
            )
        persons = choose(tracks, self.max_persons, min(self.min_frames, total_frames))
        if not persons:
            longest = max((len(track.frames) for track in tracks), default=0)
            raise ValueError(
                f'{path}: nobody is seen in {self.min_frames} of {total_frames} '
                f'frames, at most in {longest}. Lower min_score or min_frames, or look '
                'at what the detector finds.'
            )
        dims = 3 if self.lifter else 2
        shape = (len(persons), total_frames, self.layout.num_joints)
        annotation = dict(
            frame_dir=printable(video.path.stem),
            keypoint=np.zeros((*shape, dims), np.float32),
            total_frames=total_frames,
            img_shape=video.img_shape,
            layout=layout_entry(self.layout),
        )
        if video.fps > 0:
            annotation['fps'] = video.fps
        for person, track in enumerate(persons):
            if self.lifter:
                joints = self.lifter(track, video.img_shape)
            else:
                score = np.stack(track.score)
                joints = np.where(score[..., None] > 0, np.stack(track.keypoint), 0)
                scores = annotation.setdefault(
                    'keypoint_score', np.zeros(shape, np.float32)
                )
                scores[person, track.frames] = score
            annotation['keypoint'][person, track.frames] = joints
        return annotation

    def _shown(self, video: Video) -> Iterator[np.ndarray]:
        if not self.show_progress:
            yield from video
            return
        bar = ProgressBar(video.expected, file=sys.stderr)
        for frame in video:
            yield frame
            bar.update()
        sys.stderr.write('\n')


class VideoConverter(LabelledConverter):
    """Videos of persons in action.

    Labels and splits: see :class:`LabelledConverter`. Videos without a table that are
    in no folder of a class get the one class ``unlabelled``, for pre-training and for
    prediction.

    Args:
        estimator: What reads a video.
        parts: Folder in which the pose of each video is kept until all are done.
        settings: What the poses depend on beside the video. Parts that were made with
            other settings are not used.
    """

    format = 'video'
    source = 'videos, by mmpose'
    files = f'videos {", ".join(f"*{suffix}" for suffix in VIDEO_SUFFIXES)}'
    suffixes = VIDEO_SUFFIXES

    def __init__(
        self,
        estimator: VideoPoseEstimator,
        parts: Path,
        settings: dict,
    ) -> None:
        super().__init__(estimator.layout)
        self.estimator = estimator
        self.parts = parts
        self.settings = settings

    def prepare(self, paths: list[PurePosixPath]) -> None:
        """Collects the names of the samples and of their classes."""
        super().prepare([self._in_class(path) for path in paths])

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        """Reads the persons of a video, and labels them."""
        return super().parse(self._in_class(path), file)

    def _in_class(self, path: PurePosixPath) -> PurePosixPath:
        alone = self._table is None and not path.parent.name
        return PurePosixPath('unlabelled', path) if alone else path

    def read_sample(self, path: PurePosixPath, file: BinaryIO) -> dict:
        """The persons of a video, from the kept part where there is one."""
        video = Path(file.name)
        state = video.stat()
        key = [self.settings, str(path), state.st_size, state.st_mtime_ns]
        digest = hashlib.sha1(json.dumps(key, sort_keys=True).encode()).hexdigest()
        part = self.parts / f'{digest[:16]}.pkl'
        if part.exists():
            return load_annotation(part)['annotations'][0]
        try:
            sample = self.estimator(video)
        except ValueError as error:
            raise BadFileError(str(error)) from error
        # Name and frames are told by the caller; the layout is that of the whole file.
        for key in ('frame_dir', 'total_frames', 'layout'):
            del sample[key]
        save_annotation(dict(split={}, annotations=[sample]), part)
        return sample


def convert_videos(
    estimator: VideoPoseEstimator,
    source: str | os.PathLike,
    out: str | os.PathLike,
    settings: dict,
    strict: bool = False,
) -> tuple[dict, list[tuple[str, str]]]:
    """Makes an annotation file of videos; an interrupted run goes on where it was.

    Poses of finished videos are kept in the folder ``OUT.parts`` until the file is
    written.

    Args:
        estimator: What reads a video.
        source: A video, or a folder with them and, where it is known, their labels.
        out: The annotation file to write, .pkl.
        settings: What the poses depend on beside the videos, as JSON can hold it. A
            part that was made with other settings is made again.
        strict: Stop at the first bad video; otherwise it is left out and listed.

    Returns:
        The annotation dict, and (video, reason) of what was left out.

    Raises:
        FileNotFoundError: ``source`` does not exist.
        ValueError: It holds no video that can be used, or is no folder and no video.
    """
    source, out = Path(source), Path(out)
    if source.is_file() and source.suffix.lower() not in VIDEO_SUFFIXES:
        raise ValueError(
            f'{source} is neither a folder nor a video {", ".join(VIDEO_SUFFIXES)}.'
        )
    parts = out.with_name(f'{out.name}.parts')
    converter = VideoConverter(estimator, parts, settings)
    annotation, skipped = convert(converter, source, strict)
    save_annotation(annotation, out)
    shutil.rmtree(parts)
    return annotation, skipped
