"""Who is who from frame to frame, from poses alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

# How far a joint wanders between two frames, as a share of the size of the person: at
# 0.2 of the size the likeness is 0.61, at 0.4 it is 0.14.
_SPREAD = 0.2
# Pairs that are less alike are not linked.
_MIN_LIKENESS = 0.1


@dataclass
class Track:
    """One person: the frames in which it was seen, and its pose in each.

    Args:
        frames: Indices of the frames, rising.
        persons: Index of the person among those of each of the frames.
        keypoint: Joints (V, C) in each of them.
        score: Scores (V,) in each of them, 0 where a joint was not measured.
        velocity: How far the body moves a frame, (C,): the mean of the last step and
            of the velocity before it.
    """

    frames: list[int] = field(default_factory=list)
    persons: list[int] = field(default_factory=list)
    keypoint: list[np.ndarray] = field(default_factory=list)
    score: list[np.ndarray] = field(default_factory=list)
    velocity: np.ndarray | float = 0.0

    def predict(self, frame: int) -> np.ndarray:
        """Where the joints are in a later frame if the body moves on as it did."""
        return self.keypoint[-1] + self.velocity * (frame - self.frames[-1])

    def append(
        self, frame: int, person: int, keypoint: np.ndarray, score: np.ndarray
    ) -> None:
        """Adds what was seen in a frame."""
        if self.frames:
            both = (score > 0) & (self.score[-1] > 0)
            if both.any():
                way = (keypoint - self.keypoint[-1])[both].mean(0)
                speed = way / (frame - self.frames[-1])
                first = len(self.frames) == 1
                self.velocity = speed if first else (self.velocity + speed) / 2
        self.frames.append(frame)
        self.persons.append(person)
        self.keypoint.append(keypoint)
        self.score.append(score)


def likeness(
    before: np.ndarray,
    before_score: np.ndarray,
    now: np.ndarray,
    now_score: np.ndarray,
    gap: np.ndarray | int = 1,
) -> np.ndarray:
    """Object keypoint similarity of every pose before to every pose now.

    ``exp(-d^2 / (2 spread^2 size^2 gap))`` in the mean over the joints that both have,
    weighed by their scores. It differs from COCO's OKS in three ways, because what
    spreads is motion and not the hand of an annotator: the spread is the same for all
    joints, the size is that of both sides of the box around the joints, which changes
    less than its area when arms are raised, and the variance grows with the frames in
    between, as in a random walk.

    Args:
        before: Joints (N, V, C).
        before_score: Scores (N, V), 0 where a joint was not measured.
        now: Joints (K, V, C).
        now_score: Scores (K, V).
        gap: Frames from each pose before to now, (N,).

    Returns:
        Likeness (N, K), 1 for the same pose and 0 for those without a common joint.
    """
    weight = before_score[:, None] * now_score  # (N, K, V)
    distance = np.square(before[:, None] - now).sum(-1)  # (N, K, V)
    size = (
        _square_size(before, before_score)[:, None] + _square_size(now, now_score)
    ) / 2
    variance = _SPREAD**2 * size * np.broadcast_to(gap, len(before))[:, None]
    near = np.exp(-distance / np.maximum(2 * variance, 1e-9)[..., None])
    total = weight.sum(-1)
    return (near * weight).sum(-1) / np.where(total > 0, total, 1)


def _square_size(keypoint: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Mean of the squared sides of the box around the measured joints, (N,)."""
    seen = score[..., None] > 0
    low = np.where(seen, keypoint, np.inf).min(1)
    high = np.where(seen, keypoint, -np.inf).max(1)
    sides = np.where(seen.any(1), high - low, 0)
    return np.square(sides).mean(-1)


def link(
    poses: Iterable[tuple[np.ndarray, np.ndarray]],
    max_gap: int = 30,
) -> list[Track]:
    """Links the persons of a video over its frames.

    Each frame, persons and tracks are paired by the Hungarian method such that the sum
    of :func:`likeness`, over the frames since a track was seen, is highest, with each
    track moved on at its velocity. Who is like no track starts a new one; a track that
    nobody continues is lost, and found again within ``max_gap`` frames.

    Args:
        poses: For each frame, joints (N, V, C) and scores (N, V) of the N
            persons in it, in any order. It is read once, frame by frame.
        max_gap: Frames for which a person may not be seen.

    Returns:
        All tracks, in the order in which they start.
    """
    tracks: list[Track] = []
    alive: list[Track] = []
    for frame, (keypoint, score) in enumerate(poses):
        alive = [t for t in alive if frame - t.frames[-1] <= max_gap + 1]
        taken = {}
        if alive and len(keypoint):
            gap = np.array([frame - track.frames[-1] for track in alive])
            alike = likeness(
                np.stack([track.predict(frame) for track in alive]),
                np.stack([track.score[-1] for track in alive]),
                keypoint,
                score,
                gap,
            )
            # A pair out of reach weighs nothing, so that it pushes nobody away.
            alike[alike < _MIN_LIKENESS] = 0
            # The same pose is less sure of a track that was lost: it may be anywhere.
            alike /= gap[:, None]
            pairs = linear_sum_assignment(alike, maximize=True)
            taken = {k: alive[n] for n, k in zip(*pairs, strict=True) if alike[n, k]}
        for k in range(len(keypoint)):
            if k not in taken:
                taken[k] = Track()
                tracks.append(taken[k])
                alive.append(taken[k])
            taken[k].append(frame, k, keypoint[k], score[k])
    return tracks


def choose(tracks: list[Track], max_persons: int, min_frames: int) -> list[Track]:
    """The persons that a clip is about, the most important one first.

    Tracks that are seen in fewer than ``min_frames`` frames are dropped: most are false
    detections. The others are ordered by the sum over frames of the mean score, which
    says how much and how surely a person is there, times one plus how much it moves:
    the standard deviation of its joints about the middle of the body, as a share of its
    size. Walking past is no movement in this sense, and standing still none at all.
    """

    def importance(track: Track) -> float:
        keypoint, score = np.stack(track.keypoint), np.stack(track.score)
        weight = (score > 0)[..., None].astype(np.float32)  # (T, V, 1)
        middle = (keypoint * weight).sum(1) / np.maximum(weight.sum(1), 1)
        about = (keypoint - middle[:, None]) * weight
        count = np.maximum(weight.sum(0), 1)  # (V, 1)
        spread = np.square(about - about.sum(0) / count) * weight
        moved = np.sqrt(spread.sum(-1).sum(0) / count[:, 0]).mean()
        size = np.sqrt(_square_size(keypoint, score).mean())
        return score.mean(1).sum() * (1 + moved / max(size, 1e-9))

    kept = [track for track in tracks if len(track.frames) >= min_frames]
    return sorted(kept, key=importance, reverse=True)[:max_persons]
