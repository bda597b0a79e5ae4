"""Alignment, temporal crop and rotation of skeleton clips, before FormatGCNInput.

Absent persons and dropped joints are exact zeros in an annotation, and stay exact zeros
through every transform of this file but InterpolateJoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from scipy.spatial.transform import Rotation

from fdmae_mm.datasets.keypoints import (
    check_frames,
    interpolate_joints,
    measured_joints,
    seen_joints,
)
from fdmae_mm.datasets.layouts import SkeletonLayout, get_layout

# A right-left line closer than 3 degrees to the vertical has no direction on the ground
# that could be told from noise: its ground share is below this.
_MIN_GROUND_SHARE = 0.05


def _total_frames(results: dict, keypoint: np.ndarray) -> int:
    """The frames of the clip that are not padding.

    Raises:
        ValueError: The frames were sampled already, where ``total_frames`` is still
            that of the recording, or it does not fit the keypoints.
    """
    name = results.get('frame_dir', 'this sample')
    if 'frame_inds' in results:
        raise ValueError(
            f'The frames of {name} were sampled before, and total_frames is that of '
            'the recording. InterpolateJoints stands before UniformSampleFrames; '
            'TemporalCropResize takes its place and that of PoseDecode.'
        )
    total = results.get('total_frames', keypoint.shape[1])
    check_frames(total, keypoint, name)
    return total


def _read_keypoint(results: dict, layout: SkeletonLayout | None = None) -> np.ndarray:
    """The clip as float32, (M, T, V, C).

    Raises:
        ValueError: The shape is not (M, T, V, C), a value is not finite, or the clip
            has another number of joints than the layout.
    """
    keypoint = np.asarray(results['keypoint'], dtype=np.float32)
    name = results.get('frame_dir', 'this sample')
    if keypoint.ndim != 4 or keypoint.size == 0:
        raise ValueError(
            f'keypoint of {name} has shape {keypoint.shape}, expected a non-empty '
            '(M, T, V, C). This transform stands before FormatGCNInput.'
        )
    # The sum is finite where every value is, and costs less than a look at each.
    if not np.isfinite(keypoint.sum()) and not np.isfinite(keypoint).all():
        person, frame, joint, _ = np.argwhere(~np.isfinite(keypoint))[0]
        raise ValueError(
            f'keypoint of {name} is not finite at person {person}, frame {frame}, '
            f'joint {joint}. Write a joint that was not measured as exact zeros.'
        )
    if layout is not None and keypoint.shape[2] != layout.num_joints:
        raise ValueError(
            f'keypoint of {name} has V={keypoint.shape[2]} joints, but layout '
            f'{layout.name!r} has {layout.num_joints}. Set layout to that of the data.'
        )
    return keypoint


def _read_score(results: dict, keypoint: np.ndarray) -> np.ndarray | None:
    """The scores of a clip (M, T, V, C) as float32, (M, T, V); None if it has none.

    Raises:
        ValueError: They do not fit the clip.
    """
    if 'keypoint_score' not in results:
        return None
    score = np.asarray(results['keypoint_score'], dtype=np.float32)
    if score.shape != keypoint.shape[:3]:
        raise ValueError(
            f'keypoint_score of {results.get("frame_dir", "this sample")} has shape '
            f'{score.shape}, but keypoint of shape {keypoint.shape} needs '
            f'{keypoint.shape[:3]}.'
        )
    return score


def _rotate(keypoint: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Turns column vectors (..., 3) by a (3, 3) matrix, in float32."""
    matrix = matrix.T.astype(np.float32)
    return (keypoint.reshape(-1, 3) @ matrix).reshape(keypoint.shape)


def _rotation_to_axis(source: np.ndarray, axis: int) -> np.ndarray:
    """The smallest rotation that turns a unit vector to a coordinate axis, (3, 3).

    Two reflections, at the plane across ``source`` and at the plane across the vector
    half-way to the axis: exact for opposite vectors too, where the usual formula
    divides by zero.
    """
    half = source + np.eye(3)[axis]
    if np.linalg.norm(half) < 1e-9:
        # Opposite: a half turn about the axis before this one, so that turning the
        # shoulders to x leaves the spine on z.
        half = np.eye(3)[axis - 2]
    half = half / np.linalg.norm(half)
    across_source = np.eye(3) - 2 * np.outer(source, source)
    return (np.eye(3) - 2 * np.outer(half, half)) @ across_source


@TRANSFORMS.register_module()
class InterpolateJoints(BaseTransform):
    """Puts a joint that dropped out where it would be between the frames that have it.

    A detector loses joints for some frames, and in an annotation they are zeros: to
    what reads joints alone, a hand that jumps to the origin and back. Here a joint
    moves on a straight line over the frames in which it was not measured, and stays
    where it was before the first and after the last that have it. One that no frame
    has, and frames without the person, stay zero. ``keypoint_score`` is left as it is.

    Stands first, before AlignSkeleton, which puts a joint on the origin.

    Required Keys:

        - keypoint
        - total_frames (optional)

    Modified Keys:

        - keypoint

    Raises:
        ValueError: ``keypoint`` is not (M, T, V, C) or not finite, or
            ``total_frames`` does not fit it.
    """

    def transform(self, results: dict) -> dict:
        """Fills ``results['keypoint']``, (M, T, V, C)."""
        keypoint = _read_keypoint(results)
        total = _total_frames(results, keypoint)
        seen = seen_joints(keypoint[:, :total])
        there = seen.any(-1)  # (M, T)
        filled = keypoint
        for person in np.flatnonzero((there[..., None] & ~seen).any((1, 2))):
            if filled is keypoint:  # never into the annotation
                filled = keypoint.copy()
            frames = np.flatnonzero(there[person])
            filled[person, frames] = interpolate_joints(
                keypoint[person, frames], seen[person, frames], frames
            )
        results['keypoint'] = filled
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}()'


@TRANSFORMS.register_module()
class AlignSkeleton(BaseTransform):
    """Puts a clip into the coordinates of its main person.

    The main person is the first one present. All persons are moved by the same vector,
    so that the layout's centre joint of the main person is at the origin in the
    reference frame, and turned by the same rotation. The reference frame is the first
    one in which the main person's centre joint and the joints of the rotation were
    measured; where no frame has all of them, the first with the centre joint, without a
    rotation; where the centre joint was never measured, its first frame is centred on
    the mean of the joints that were. A centre joint that is zero in every frame, with
    the others around it, is the origin of joints given relative to it. A clip of zeros
    stays as it is.

    With ``center='clip'`` it is the centre joint's mean over the clip that goes to the
    origin, which depends on no single frame: for whole-body actions a first frame says
    little of where the rest happens.

    Unlike the stock PreNormalize3D this takes any layout, any number of persons and
    frames, and drops no frame. The one joint that lands on the origin exactly, the
    centre in the reference frame, reads as dropped from then on.

    Required Keys:

        - keypoint
        - total_frames (optional)

    Modified Keys:

        - keypoint

    Args:
        layout: The skeleton layout of the clips, as taken by
            :func:`fdmae_mm.datasets.layouts.get_layout`.
        rotate: ``'vertical'`` turns the clip about the vertical axis (y), so that the
            line from the right to the left shoulder points along +x on the ground: each
            body faces the same way, up stays up. The hips stand in where a shoulder is
            missing or the line is vertical. ``'full'`` turns the spine to +z, then the
            line from the left to the right shoulder (else hips) to +x, the directions
            of PreNormalize3D; where a layout names no spine, as that of COCO, the line
            from between the hips to between the shoulders is taken. ``'none'`` centres
            only: the preprocessing of NTU RGB+D by CTR-GCN
            (``data/ntu/seq_transformation.py``), which MAMP took over.
        center: ``'first'``, the centre joint in the reference frame, or ``'clip'``, its
            mean over the frames in which it was measured.

    Raises:
        ValueError: ``center`` or ``rotate`` is unknown, or ``rotate`` needs joints that
            the layout lacks; the clip has another number of joints than the layout, or
            is not 3-D although a rotation is asked for.
    """

    def __init__(
        self,
        layout: str | Mapping | SkeletonLayout,
        rotate: str = 'vertical',
        center: str = 'first',
    ) -> None:
        if center not in ('first', 'clip'):
            raise ValueError(f"center={center!r} must be 'first' or 'clip'.")
        if rotate not in ('vertical', 'full', 'none'):
            raise ValueError(f"rotate={rotate!r} must be 'vertical', 'full' or 'none'.")
        self.layout = get_layout(layout)
        self.rotate = rotate
        self.center = center
        self.side_lines = [
            line for line in (self.layout.shoulders, self.layout.hips) if line
        ]
        if rotate != 'none' and not self.side_lines:
            raise ValueError(
                f'rotate={rotate!r} needs shoulders or hips, and layout '
                f"{self.layout.name!r} names neither. Name them, or use rotate='none'."
            )
        if rotate == 'full' and self.layout.line_up is None:
            raise ValueError(
                "rotate='full' needs a spine, or hips and shoulders, and layout "
                f"{self.layout.name!r} lacks them. Name them, or use rotate='vertical'."
            )

    def transform(self, results: dict) -> dict:
        """Centres and turns ``results['keypoint']``, (M, T, V, C)."""
        keypoint = _read_keypoint(results, self.layout)
        num_joints, channels = keypoint.shape[2:]
        if self.rotate != 'none' and channels != 3:
            raise ValueError(
                f'rotate={self.rotate!r} needs 3-D coordinates, but keypoint has '
                f"C={channels}. Use rotate='none', and a model of 2-D joints."
            )
        seen = measured_joints(keypoint, self.layout.center)
        if 'frame_inds' not in results:  # else total_frames is that of the recording
            seen[:, _total_frames(results, keypoint) :] = False
        present = seen.any(axis=(1, 2))
        if present.any():
            main = present.argmax()
            center, rotation = self._reference(keypoint[main], seen[main])
            measured = seen[main, :, self.layout.center]
            if self.center == 'clip' and measured.any():
                center = keypoint[main, measured, self.layout.center].mean(axis=0)
            # Spelt out for every joint, for an inner loop longer than C.
            keypoint = keypoint - np.tile(center, (num_joints, 1))
            if rotation is not None:
                keypoint = _rotate(keypoint, rotation)
            keypoint[~seen] = 0
        results['keypoint'] = keypoint
        return results

    def _reference(
        self, body: np.ndarray, seen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """The point (C,) that goes to the origin, and the rotation or None.

        Args:
            body: The main person, (T, V, C).
            seen: Its measured joints, bool (T, V).
        """
        frames = np.flatnonzero(seen[:, self.layout.center])
        if frames.size == 0:
            first = seen.any(axis=1).argmax()
            return body[first, seen[first]].mean(axis=0), None
        if self.rotate != 'none':
            rotation_of = self._face if self.rotate == 'vertical' else self._upright
            for frame in frames:
                rotation = rotation_of(body[frame].astype(np.float64), seen[frame])
                if rotation is not None:
                    return body[frame, self.layout.center], rotation
        return body[frames[0], self.layout.center], None

    def _face(self, pose: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
        """About y, right -> left to +x; None where the pose (V, 3) has no such line."""
        for right, left in self.side_lines:
            line = pose[left] - pose[right]
            ground = np.hypot(line[0], line[2])
            steep = ground <= _MIN_GROUND_SHARE * np.linalg.norm(line)
            if seen[right] and seen[left] and not steep:
                cos, sin = line[0] / ground, line[2] / ground
                return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        return None

    def _upright(self, pose: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
        """Spine to +z, then left -> right to +x; None where a line is missing."""
        bottom, top = self.layout.line_up
        spine = pose[top].mean(axis=0) - pose[bottom].mean(axis=0)
        if not (seen[bottom].all() and seen[top].all() and spine.any()):
            return None
        upright = _rotation_to_axis(spine / np.linalg.norm(spine), axis=2)
        for right, left in self.side_lines:
            line = upright @ (pose[right] - pose[left])
            if seen[right] and seen[left] and line.any():
                line /= np.linalg.norm(line)
                return _rotation_to_axis(line, axis=0) @ upright
        return None

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(layout={self.layout.name!r}, '
            f'rotate={self.rotate!r}, center={self.center!r})'
        )


@TRANSFORMS.register_module()
class TemporalCropResize(BaseTransform):
    """Crops a share of the frames and resizes it along time to ``clip_len`` frames.

    The recipe of MAMP (``valid_crop_resize`` in its ``feeder/tools.py``), which is that
    of CTR-GCN. Training: a share, uniform in ``crop_range``, of the valid frames, at
    least ``min_frames`` where there are as many, from a uniform start. Test: the
    central share ``crop_range[1]``. Then linear interpolation along time, as
    ``torch.nn.functional.interpolate`` with ``align_corners=False``.

    Two differences are deliberate. The valid frames run from the first to the last
    frame with any joint in it, while MAMP counts such frames and starts at frame 0,
    which is the same unless a clip has empty frames in front or inside. And between a
    measured and a dropped joint the measured one is taken as it is, while MAMP
    blends the body with the origin; a joint stays dropped where both are. The clip of a
    single frame is constant.

    Required Keys:

        - keypoint
        - total_frames (optional)
        - keypoint_score (optional)

    Modified Keys:

        - keypoint, (M, num_clips * clip_len, V, C)
        - keypoint_score (optional)

    Added Keys:

        - total_frames, num_clips * clip_len
        - num_clips
        - clip_len

    Args:
        clip_len: Frames of a clip after the resize.
        crop_range: Smallest and largest share of the valid frames, in (0, 1].
        min_frames: A training crop is never shorter, unless the clip is.
        num_clips: Crops taken of a sample: independent ones in training, evenly spaced
            from the first to the last valid frame in test.
        test_mode: Whether to take the same crops every time.

    Raises:
        ValueError: An argument is out of range; ``total_frames`` or
            ``keypoint_score`` does not fit ``keypoint``.
    """

    def __init__(
        self,
        clip_len: int,
        crop_range: Sequence[float] = (0.5, 1.0),
        min_frames: int = 64,
        num_clips: int = 1,
        test_mode: bool = False,
    ) -> None:
        for name, value in (
            ('clip_len', clip_len),
            ('min_frames', min_frames),
            ('num_clips', num_clips),
        ):
            if value < 1:
                raise ValueError(f'{name}={value} must be at least 1.')
        if len(crop_range) != 2 or not 0 < crop_range[0] <= crop_range[1] <= 1:
            raise ValueError(
                f'crop_range={tuple(crop_range)} must be a smallest and a largest '
                'share, 0 < smallest <= largest <= 1.'
            )
        if test_mode and num_clips > 1 and crop_range[1] == 1:
            raise ValueError(
                f'crop_range={tuple(crop_range)}: the {num_clips} clips of a test '
                'would all be the whole sample. Let it end below 1, for example at 0.9.'
            )
        self.clip_len = clip_len
        self.crop_range = tuple(crop_range)
        self.min_frames = min_frames
        self.num_clips = num_clips
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Crops and resizes ``results['keypoint']``, (M, T, V, C)."""
        keypoint = _read_keypoint(results)
        total = _total_frames(results, keypoint)
        seen = seen_joints(keypoint[:, :total])
        frames = np.flatnonzero(seen.any(axis=(0, 2)))
        first, last = (frames[0], frames[-1]) if frames.size else (0, total - 1)

        crops = self._crops(last + 1 - first)
        positions = [self._positions(first + start, size) for start, size in crops]
        lower, upper, weight = (
            np.concatenate(parts) for parts in zip(*positions, strict=True)
        )

        below, clip = keypoint.take(lower, axis=1), keypoint.take(upper, axis=1)
        seen_below, seen_above = seen.take(lower, axis=1), seen.take(upper, axis=1)
        half_seen = seen_below ^ seen_above
        # The dropped one of the two is zero, so that the sum is the measured one.
        measured = below[half_seen] + clip[half_seen]
        _blend(below, clip, weight[:, None, None])
        clip[half_seen] = measured
        results['keypoint'] = clip

        score = _read_score(results, keypoint)
        if score is not None:
            below, clip = score.take(lower, axis=1), score.take(upper, axis=1)
            measured = np.where(seen_below, below, clip)[half_seen]
            _blend(below, clip, weight[:, None])
            clip[half_seen] = measured
            results['keypoint_score'] = clip

        results['total_frames'] = self.num_clips * self.clip_len
        results['num_clips'] = self.num_clips
        results['clip_len'] = self.clip_len
        return results

    def _crops(self, valid: int) -> list[tuple[int, int]]:
        """(start, size) of each clip within the ``valid`` frames."""
        if self.test_mode:
            margin = int((1 - self.crop_range[1]) * valid / 2)
            if self.num_clips == 1:
                return [(margin, valid - 2 * margin)]
            starts = np.linspace(0, 2 * margin, self.num_clips).round().astype(int)
            return [(start, valid - 2 * margin) for start in starts]
        crops = []
        for _ in range(self.num_clips):
            share = np.random.uniform(*self.crop_range)
            size = min(max(int(valid * share), self.min_frames), valid)
            crops.append((np.random.randint(valid - size + 1), size))
        return crops

    def _positions(
        self, start: int, size: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames below and above each new frame, and the weight of the one above.

        New frame i lies at (i + 1/2) size / clip_len - 1/2, its centre in the old crop.
        """
        # Whole numbers up to one division, so that a frame that is met is met exactly.
        doubled = (2 * np.arange(self.clip_len) + 1) * size - self.clip_len
        position = np.maximum(doubled, 0) / (2 * self.clip_len)
        lower = position.astype(np.int64)
        # On a frame, the one above is that frame: its dropped joints stay dropped.
        upper = np.minimum(np.ceil(position).astype(np.int64), size - 1)
        weight = (position - lower).astype(np.float32)
        return start + lower, start + upper, weight

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(clip_len={self.clip_len}, '
            f'crop_range={self.crop_range}, min_frames={self.min_frames}, '
            f'num_clips={self.num_clips}, test_mode={self.test_mode})'
        )


def _blend(below: np.ndarray, above: np.ndarray, weight: np.ndarray) -> None:
    """Writes ``below + weight * (above - below)`` into ``above``."""
    above -= below
    above *= weight
    above += below


@TRANSFORMS.register_module()
class RandomRotate3D(BaseTransform):
    """Turns a whole sample by one random rotation Rz Ry Rx about the origin.

    The random rotation of CTR-GCN (``random_rot`` in its ``feeders/tools.py``), which
    MAMP trains with.

    Required Keys:

        - keypoint

    Modified Keys:

        - keypoint

    Args:
        theta: The angles are uniform in [-theta, theta], in radians: one limit for all
            axes or one for each of x, y and z. (0, pi, 0) turns about the vertical.

    Raises:
        ValueError: ``theta`` is not one or three limits, or the clip is not 3-D.
    """

    def __init__(self, theta: float | Sequence[float] = 0.3) -> None:
        self.theta = np.ravel(theta).astype(np.float64)
        if self.theta.size not in (1, 3):
            raise ValueError(
                f'theta={theta} must be one limit, or one for each of x, y and z.'
            )

    def transform(self, results: dict) -> dict:
        """Turns ``results['keypoint']``, (M, T, V, 3)."""
        keypoint = _read_keypoint(results)
        if keypoint.shape[-1] != 3:
            raise ValueError(
                f'RandomRotate3D needs 3-D coordinates, but keypoint has '
                f'C={keypoint.shape[-1]}. Take it out of the pipeline of 2-D data.'
            )
        angles = np.random.uniform(-1, 1, size=3) * self.theta
        turn = Rotation.from_euler('xyz', angles)  # Rz Ry Rx
        results['keypoint'] = _rotate(keypoint, turn.as_matrix())
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(theta={self.theta.tolist()})'
