"""Long recordings: windows, scores over time, segments, and frames as they come."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..datasets.keypoints import measured


class Segment(NamedTuple):
    """A stretch of one class.

    Attributes:
        start: First frame.
        end: Frame after the last one.
        label: The class.
        score: Mean of its score over the stretch.
    """

    start: int
    end: int
    label: int
    score: float


def check_window(window: int, stride: int) -> None:
    """Raises ValueError unless 1 <= stride <= window."""
    if not 1 <= stride <= window:
        raise ValueError(
            f'stride={stride} must be from 1 to window={window}, so that no frame is '
            'left out.'
        )


def window_starts(frames: int, window: int, stride: int) -> list[int]:
    """First frames of the windows: every ``stride``, and one that ends with the last.

    A recording shorter than the window is one window, of all its frames.
    """
    last = max(frames - window, 0)
    starts = list(range(0, last + 1, stride))
    return starts if starts[-1] == last else [*starts, last]


def windows(
    annotation: dict, window: int, stride: int, non_finite: str = 'error'
) -> Iterator[tuple[int, dict]]:
    """Cuts a recording into windows, one at a time, so that memory holds but one.

    A window without anyone is left out.

    Args:
        annotation: Dict with ``keypoint`` (M, T, V, C), ``total_frames`` and perhaps
            ``keypoint_score`` (M, T, V).
        window: Frames of a window.
        stride: Frames from one window to the next.
        non_finite: What NaN and infinite numbers are, as for
            :func:`~fdmae_mm.datasets.keypoints.measured`.

    Yields:
        First frame and annotation of each window.

    Raises:
        ValueError: A joint of a window is NaN or infinite, and that is an error.
    """
    keypoint, frames = annotation['keypoint'], annotation['total_frames']
    for start in window_starts(frames, window, stride):
        cut = slice(start, min(start + window, frames))
        part = np.array(keypoint[:, cut])
        _forget(keypoint)
        view = dict(annotation, keypoint=part, total_frames=part.shape[1])
        if 'keypoint_score' in annotation:
            view['keypoint_score'] = annotation['keypoint_score'][:, cut]
        view = measured(view, non_finite, start)
        if view['keypoint'].any():
            yield start, view


def _forget(keypoint: np.ndarray) -> None:
    """Gives back the pages of a memory-mapped file, which would all stay resident."""
    pages = getattr(keypoint, '_mmap', None)
    # Not those of other modes, where it would undo what was written.
    if getattr(keypoint, 'mode', None) == 'r' and hasattr(pages, 'madvise'):
        pages.madvise(mmap.MADV_DONTNEED)


class Timeline:
    """Scores over time: one row of classes for every ``stride`` frames.

    A row is the mean of the scores of the windows that overlap its frames, weighted by
    how many of them each shares; it has none where nobody is in its frames. This is the
    only thing that grows with a recording.

    Args:
        frames: T of the recording.
        window: Frames of a window.
        stride: Frames of a row.
    """

    def __init__(self, frames: int, window: int, stride: int) -> None:
        self.window = window
        self._stride = stride
        self.bounds = np.append(np.arange(0, frames, stride), frames)  # (steps + 1,)
        self._sums: np.ndarray | None = None  # (steps, classes)
        self._weights = np.zeros(len(self.bounds) - 1, dtype=np.float32)
        self._occupied = np.zeros(len(self.bounds) - 1, dtype=bool)

    def add(self, start: int, scores: np.ndarray, occupied: np.ndarray) -> None:
        """Adds a window.

        Args:
            start: Its first frame.
            scores: Of its classes, (classes,).
            occupied: In which of its frames somebody is, bool (window,).
        """
        self._occupied[(start + np.flatnonzero(occupied)) // self._stride] = True
        if self._sums is None:
            shape = (len(self._weights), len(scores))
            self._sums = np.zeros(shape, dtype=np.float32)
        end = start + self.window
        first, last = np.searchsorted(self.bounds, (start, end))
        first -= self.bounds[first] > start
        bounds = self.bounds[first : last + 1].clip(start, end)
        shared = np.diff(bounds).astype(np.float32)
        steps = slice(first, first + len(shared))
        self._sums[steps] += shared[:, None] * scores
        self._weights[steps] += shared

    def steps(self) -> Iterator[tuple[int, int, np.ndarray | None]]:
        """Start, end and scores (classes,) of every row; None where nobody was."""
        scores = self._mean()
        for step, (start, end) in enumerate(pairwise(self.bounds.tolist())):
            yield start, end, scores[step] if self._occupied[step] else None

    def segments(self, min_length: int = 0) -> list[Segment]:
        """Stretches of frames in which one class scores highest.

        Stretches shorter than ``min_length`` are left out. Then, what is shorter than
        ``min_length`` between two segments of the same class is closed.

        Args:
            min_length: Frames.
        """
        if self._sums is None:
            return []
        scores = self._mean()
        labels = np.where(self._occupied, scores.argmax(axis=1), -1)
        edges = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
        kept = []  # (first step, step after the last, label)
        for first, last in pairwise(edges):
            label = labels[first]
            if label < 0 or self._frames(first, last) < min_length:
                continue
            if kept and kept[-1][2] == label:
                if self._frames(kept[-1][1], first) < min_length:
                    first = kept.pop()[0]
            kept.append((first, last, label))
        lengths = np.diff(self.bounds) * self._occupied
        return [
            Segment(
                int(self.bounds[first]),
                int(self.bounds[last]),
                int(label),
                float(
                    np.average(scores[first:last, label], weights=lengths[first:last])
                ),
            )
            for first, last, label in kept
        ]

    def _frames(self, first: int, last: int) -> int:
        return self.bounds[last] - self.bounds[first]

    def _mean(self) -> np.ndarray | None:
        if self._sums is None:
            return None
        return self._sums / np.maximum(self._weights, 1)[:, None]


class FrameStream:
    """Predictions while frames come in.

    A ring buffer holds the last ``window`` frames. The first prediction comes when it
    is full, the next ones every ``stride`` frames: those of the windows that
    :func:`windows` cuts of the same frames, but for the one at the end.

    Args:
        predict: Dict with ``keypoint`` (M, window, V, C), and ``keypoint_score`` (M,
            window, V) where frames have one -> top classes.
        window: Frames of a window.
        stride: Frames from one prediction to the next.
        non_finite: What NaN and infinite numbers are, as for
            :func:`~fdmae_mm.datasets.keypoints.measured`.
        check: Raises ValueError where such a dict of the first frame is none of the
            model, so that it is not told a window later.

    Attributes:
        frames (int): Frames that have come.
    """

    def __init__(
        self,
        predict: Callable[[dict[str, np.ndarray]], list[dict]],
        window: int,
        stride: int,
        non_finite: str = 'error',
        check: Callable[[dict[str, np.ndarray]], object] | None = None,
    ) -> None:
        check_window(window, stride)
        self._check = check
        self._non_finite = non_finite
        self.frames = 0
        self.window = window
        self.stride = stride
        self._predict = predict
        self._ring: dict[str, np.ndarray] | None = None  # (M, window, ...) each

    def push(self, frame: np.ndarray, score: np.ndarray | None = None) -> dict | None:
        """Takes the next frame.

        Args:
            frame: Joints (M, V, C), absent persons and dropped joints zero, or (V, C)
                of one person. A person keeps its row.
            score: Score of each joint, (M, V) or (V,), for models of 2-D joints that
                take one.

        Returns:
            ``start``, ``end`` (frames, the end not included) and ``top`` (empty where
            nobody was there) of the window, where one is due, else None.

        Raises:
            ValueError: The frame has another shape than those before, or than the model
                takes, or its score does not fit it, or a joint in it is NaN or
                infinite, and that is an error. It was not taken.
        """
        frame = np.asarray(frame, dtype=np.float32)
        if frame.ndim == 2:
            frame = frame[None]
        if frame.ndim != 3 or 0 in frame.shape:
            raise ValueError(
                f'frame has the shape {frame.shape}, expected (persons, joints, '
                'coordinates), or (joints, coordinates) of one person; one without '
                'anyone is a row of zeros.'
            )
        alone = dict(keypoint=frame[:, None])
        if score is not None:
            score = np.asarray(score, dtype=np.float32)
            score = score[None] if score.ndim == 1 else score
            if score.shape != frame.shape[:2]:
                raise ValueError(
                    f'score has the shape {score.shape}, expected {frame.shape[:2]}, '
                    'one of each joint.'
                )
            alone['keypoint_score'] = score[:, None]
        alone = measured(alone, self._non_finite, self.frames)
        if self._ring is None:
            if self._check is not None:
                self._check(alone)
            self._ring = {
                key: value.repeat(self.window, axis=1) for key, value in alone.items()
            }
        before = self._ring['keypoint'][:, 0].shape
        if frame.shape != before:
            raise ValueError(
                f'frame {self.frames} has the shape {frame.shape}, those before '
                f'{before}. An absent person is a row of zeros.'
            )
        if alone.keys() != self._ring.keys():
            raise ValueError(
                f'frame {self.frames} has {"no" if score is None else "a"} score, '
                'unlike those before.'
            )
        for key, value in alone.items():
            self._ring[key][:, self.frames % self.window] = value[:, 0]
        self.frames += 1
        start = self.frames - self.window
        if start < 0 or start % self.stride:
            return None
        order = np.arange(start, self.frames) % self.window
        top = self._predict({key: ring[:, order] for key, ring in self._ring.items()})
        return dict(start=start, end=self.frames, top=top)
