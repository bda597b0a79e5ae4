"""Streams, mirror images and changes of layout: what needs to know the joints.

The transforms stand before FormatGCNInput. Absent persons and dropped joints are exact
zeros in an annotation, and stay exact zeros here. A centre joint that is zero in every
frame, with the others around it, is the root of relative joints, and no dropped one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from mmaction.datasets.transforms import JointToBone
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from fdmae_mm.datasets.keypoints import measured_joints, seen_joints
from fdmae_mm.datasets.layouts import LAYOUTS, SkeletonLayout, get_layout, map_layout

from .augment import _read_keypoint, _read_score

STREAMS = ('joint', 'bone', 'joint_motion', 'bone_motion')


def _read_clip(
    results: dict, layout: SkeletonLayout
) -> tuple[np.ndarray, np.ndarray | None]:
    """The clip (M, T, V, C) and its scores (M, T, V) or None, as float32.

    Raises:
        ValueError: The clip has another number of joints than the layout, or the
            scores do not fit it.
    """
    keypoint = _read_keypoint(results, layout)
    return keypoint, _read_score(results, keypoint)


def _write_clip(
    results: dict, keypoint: np.ndarray, score: np.ndarray | None, seen: np.ndarray
) -> dict:
    """Puts the clip back, zero where it was not measured."""
    keypoint[~seen] = 0
    results['keypoint'] = keypoint
    if score is not None:
        score[~seen] = 0
        results['keypoint_score'] = score
    return results


@TRANSFORMS.register_module()
class SkeletonStream(BaseTransform):
    """Turns joints into one of the four streams whose scores are commonly fused.

    The stock GenSkeFeat for any layout. A bone is a joint minus its parent, the bone of
    a joint without a parent is zero; motion is the next frame minus this one, zero in
    the last frame of each clip. A score is the mean of the scores of both ends. A
    bone or a motion is zero, and so is its score, where an end was not measured.

    For ``'nturgb+d'``, ``'coco'`` and ``'openpose'`` the parents are those of the stock
    JointToBone, so that stock checkpoints fit; they are not quite the edges of its
    Graph (a hip of coco hangs on the nose, not on the shoulder). For any other layout
    they are the edges.

    Scores stay in ``keypoint_score``, from where FormatGCNInput appends them. Stands
    after what needs joints (alignment, mirror image, change of layout). Motion is that
    between the frames of its place: before UniformSampleFrames, where GenSkeFeat
    stands, those of the recording; after TemporalCropResize those of the clip.

    Required Keys:

        - keypoint
        - keypoint_score (optional)
        - num_clips (optional)

    Modified Keys:

        - keypoint
        - keypoint_score (optional)

    Args:
        layout: The skeleton layout of the clips, as taken by
            :func:`fdmae_mm.datasets.layouts.get_layout`.
        stream: ``'joint'``, ``'bone'``, ``'joint_motion'`` or ``'bone_motion'``.

    Raises:
        ValueError: ``stream`` is unknown; the clip has another number of joints than
            the layout, or ``num_clips`` does not divide its frames.
    """

    def __init__(
        self, layout: str | Mapping | SkeletonLayout, stream: str = 'joint'
    ) -> None:
        if stream not in STREAMS:
            raise ValueError(f'stream={stream!r} must be one of {STREAMS}.')
        self.layout = get_layout(layout)
        self.stream = stream
        bones = self.layout.edges
        for name in ('nturgb+d', 'coco', 'openpose'):
            if self.layout == LAYOUTS[name]:
                bones = JointToBone(dataset=name).pairs
        # A joint without a parent is its own: the bone is zero, the score its score.
        self.parents = np.arange(self.layout.num_joints)
        for child, parent in bones:
            self.parents[child] = parent

    def transform(self, results: dict) -> dict:
        """Replaces ``results['keypoint']``, (M, T, V, C), by the stream."""
        keypoint, score = _read_clip(results, self.layout)
        if self.stream == 'joint':
            return results
        seen = measured_joints(keypoint, self.layout.center, score)
        if self.stream.startswith('bone'):
            keypoint = keypoint - keypoint[:, :, self.parents]
            seen = seen & seen[:, :, self.parents]
            if score is not None:
                score = (score + score[:, :, self.parents]) / 2
        if self.stream.endswith('motion'):
            following, last = self._following(results, keypoint.shape[1])
            keypoint = keypoint[:, following] - keypoint
            seen = seen & seen[:, following] & ~last[:, None]
            if score is not None:
                score = (score + score[:, following]) / 2
        return _write_clip(results, keypoint, score, seen)

    def _following(self, results: dict, frames: int) -> tuple[np.ndarray, np.ndarray]:
        """The frame after each, and which are the last of a clip, (T,) each."""
        clips = results.get('num_clips', 1)
        if frames % clips:
            raise ValueError(
                f'num_clips={clips} of {results.get("frame_dir", "this sample")} must '
                f'divide the {frames} frames of keypoint. SkeletonStream stands before '
                'UniformSampleFrames or after PoseDecode, not between them.'
            )
        last = np.zeros(frames, dtype=bool)
        last[frames // clips - 1 :: frames // clips] = True
        return np.minimum(np.arange(frames) + 1, frames - 1), last

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(layout={self.layout.name!r}, '
            f'stream={self.stream!r})'
        )


@TRANSFORMS.register_module()
class SkeletonFlip(BaseTransform):
    """Replaces a clip by its mirror image at random: left becomes right.

    All persons are mirrored in the same plane. 2-D clips with an ``img_shape`` are
    pixels: x becomes width - x, as in the stock Flip. Of all others x becomes -x: the
    plane through the origin, which is that of the body after AlignSkeleton. Stands
    before PreNormalize2D, GenSkeFeat and :class:`SkeletonStream`. An action that is
    defined by its side (swipe left) needs another label or no mirror.

    Required Keys:

        - keypoint
        - keypoint_score (optional)
        - img_shape (optional)

    Modified Keys:

        - keypoint
        - keypoint_score (optional)

    Args:
        layout: The skeleton layout of the clips, as taken by
            :func:`fdmae_mm.datasets.layouts.get_layout`.
        prob: Probability of the mirror image.

    Raises:
        ValueError: ``prob`` is not in [0, 1]; the layout has no pairs of joints; the
            clip has another number of joints than the layout; ``img_shape`` is given
            and the clip is not in pixels.
    """

    def __init__(
        self, layout: str | Mapping | SkeletonLayout, prob: float = 0.5
    ) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob={prob} must lie between 0 and 1.')
        self.layout = get_layout(layout)
        self.prob = prob
        if not self.layout.left_right:
            raise ValueError(
                f'Layout {self.layout.name!r} has no pairs of left and right joints, '
                'and a mirror image would leave each where it is: call them left_... '
                'and right_..., or give left_right.'
            )
        self.order = np.arange(self.layout.num_joints)
        for left, right in self.layout.left_right:
            self.order[[left, right]] = right, left

    def transform(self, results: dict) -> dict:
        """Mirrors ``results['keypoint']``, (M, T, V, C), or not."""
        keypoint, score = _read_clip(results, self.layout)
        width = 0
        if keypoint.shape[-1] == 2 and 'img_shape' in results:
            width = results['img_shape'][1]
            self._check_pixels(results, keypoint, width)
        if np.random.rand() >= self.prob:
            return results
        keypoint = keypoint[:, :, self.order]
        keypoint[..., 0] = np.where(seen_joints(keypoint), width - keypoint[..., 0], 0)
        results['keypoint'] = keypoint
        if score is not None:
            results['keypoint_score'] = score[:, :, self.order]
        return results

    def _check_pixels(self, results: dict, keypoint: np.ndarray, width: int) -> None:
        x = keypoint[..., 0][seen_joints(keypoint)]
        # Normalised, the mean is within -1..1; centred on a joint, half is below 0.
        if x.size and not (1 < x.mean() < width and (x < 0).mean() < 0.1):
            raise ValueError(
                f'{results.get("frame_dir", "This sample")} has an img_shape of width '
                f'{width}, but x is {x.mean():.3g} in the mean: these are no pixels. '
                'SkeletonFlip stands before what centres or normalises 2-D data.'
            )

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(layout={self.layout.name!r}, prob={self.prob})'
        )


@TRANSFORMS.register_module()
class MapSkeleton(BaseTransform):
    """Rewrites clips of one layout as clips of another, joint by joint.

    The joints are those of :func:`fdmae_mm.datasets.layouts.map_layout`, which says
    how each is made. A joint is zero where one that it is made of was not measured;
    a score is the mean of theirs.

    Required Keys:

        - keypoint
        - keypoint_score (optional)

    Modified Keys:

        - keypoint, (M, T, V_target, C)
        - keypoint_score (optional)

    Args:
        source: The skeleton layout of the data, as taken by
            :func:`fdmae_mm.datasets.layouts.get_layout`.
        target: The layout that the model or the next transform takes.

    Raises:
        ValueError: A target joint has no counterpart in the source; the clip has
            another number of joints than the source.
    """

    def __init__(
        self,
        source: str | Mapping | SkeletonLayout,
        target: str | Mapping | SkeletonLayout,
    ) -> None:
        self.source, self.target = get_layout(source), get_layout(target)
        self.weights, _ = map_layout(self.source, self.target)

    def transform(self, results: dict) -> dict:
        """Maps ``results['keypoint']``, (M, T, V, C)."""
        keypoint, score = _read_clip(results, self.source)
        # (..., V_source) @ (V_source, V_target): how many of its joints are missing.
        missing = ~measured_joints(keypoint, self.source.center, score)
        missing = missing.astype(np.float32) @ (self.weights > 0).T
        if score is not None:
            score = score @ self.weights.T
        return _write_clip(results, self.weights @ keypoint, score, missing == 0)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(source={self.source.name!r}, '
            f'target={self.target.name!r})'
        )
