"""Masking strategies: which tokens a masked auto-encoder does not see.

A strategy gives every token a score; the base class masks the highest ones, the same
number in every sequence. A new strategy is one method::

    @TRANSFORMS.register_module()
    class MyMasking(BaseSkeletonMasking):
        def score(self, keypoint):  # (K, M, T, V, C) -> (K, M, L)
            return np.random.rand(*self.token_shape(keypoint))
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from fdmae_mm.datasets.layouts import SkeletonLayout, get_layout


class BaseSkeletonMasking(BaseTransform, metaclass=ABCMeta):
    """Masks the tokens with the highest scores, round(L * mask_ratio) a sequence.

    A token is one joint over ``t_patch_size`` frames. The L = T / t_patch_size * V
    tokens of a sequence are time-major: token l = t' * V + v. Stands after
    FormatGCNInput and hands its mask on by ``PackActionInputs(algorithm_keys=(key,))``.

    Required Keys:

        - keypoint, (K, M, T, V, C)

    Added Keys:

        - mask (``key``), torch.bool (K, M, L), True = masked

    Args:
        mask_ratio: Share of tokens to mask, in (0, 1). Rounded to whole tokens:
            0.9 of 750 masks 675.
        t_patch_size: Frames of a token, the same as the backbone's.
        key: The key to write. A second masking with another key gives an independent
            mask, as the momentum path's ``'teacher_mask'``.

    Raises:
        ValueError: An argument is out of range; ``keypoint`` is not (K, M, T, V, C);
            ``t_patch_size`` does not divide T; no token would be masked or visible.
    """

    def __init__(self, mask_ratio: float, t_patch_size: int, key: str = 'mask') -> None:
        if not 0 < mask_ratio < 1:
            raise ValueError(f'mask_ratio={mask_ratio} must lie between 0 and 1.')
        if t_patch_size < 1:
            raise ValueError(f't_patch_size={t_patch_size} must be at least 1.')
        self.mask_ratio = mask_ratio
        self.t_patch_size = t_patch_size
        self.key = key

    @abstractmethod
    def score(self, keypoint: np.ndarray) -> np.ndarray:
        """Scores the tokens; the highest are masked.

        Equal scores are masked in no fair order, so a score carries its own noise.

        Args:
            keypoint: The clips, (K, M, T, V, C).

        Returns:
            One score a token, (K, M, L).
        """

    def token_shape(self, keypoint: np.ndarray) -> tuple[int, int, int]:
        """(K, M, L) of clips (K, M, T, V, C)."""
        if keypoint.ndim != 5:
            raise ValueError(
                f'keypoint has shape {keypoint.shape}, expected (K, M, T, V, C). '
                'Masking stands after FormatGCNInput.'
            )
        clips, persons, frames, joints = keypoint.shape[:4]
        if frames == 0 or frames % self.t_patch_size:
            raise ValueError(
                f'clip_len={frames} must be a multiple of '
                f't_patch_size={self.t_patch_size}.'
            )
        return clips, persons, frames // self.t_patch_size * joints

    def transform(self, results: dict) -> dict:
        """Adds the mask of ``results['keypoint']``."""
        keypoint = results['keypoint']
        shape = self.token_shape(keypoint)
        num_tokens = shape[-1]
        num_masked = round(num_tokens * self.mask_ratio)
        if not 0 < num_masked < num_tokens:
            raise ValueError(
                f'mask_ratio={self.mask_ratio} masks {num_masked} of the {num_tokens} '
                'tokens of a sequence; at least one must be masked and one visible. '
                'Change mask_ratio, or cut more tokens by a longer clip_len or a '
                'smaller t_patch_size.'
            )
        score = self.score(keypoint)
        if score.shape != shape:
            raise ValueError(
                f'{self.__class__.__name__}.score returned shape {score.shape}, '
                f'expected (K, M, L) = {shape}.'
            )
        # Only the border between masked and visible matters, not the whole order.
        order = np.argpartition(score, num_tokens - num_masked, axis=-1)
        mask = np.ones(shape, dtype=bool)
        np.put_along_axis(mask, order[..., : num_tokens - num_masked], False, axis=-1)
        results[self.key] = torch.from_numpy(mask)
        return results

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(mask_ratio={self.mask_ratio}, '
            f't_patch_size={self.t_patch_size}, key={self.key!r})'
        )


@TRANSFORMS.register_module()
class RandomSkeletonMasking(BaseSkeletonMasking):
    """Masks tokens uniformly at random. See :class:`BaseSkeletonMasking`."""

    def score(self, keypoint: np.ndarray) -> np.ndarray:
        """Uniform noise, (K, M, L)."""
        return np.random.rand(*self.token_shape(keypoint))


@TRANSFORMS.register_module()
class MotionAwareSkeletonMasking(BaseSkeletonMasking):
    """Masks moving tokens more often: the motion-aware masking of MAMP (ICCV 2023).

    A token's motion is the mean over its values of |x_t' - x_t'-1|, the change from
    the same joint's patch before; the first patch takes the motion of the second. It is
    divided by (tau times the sequence's maximum), and this plus Gumbel noise, minus the
    log of an exponential variable, is the score, so that tokens are masked by sampling
    without replacement in proportion to exp(motion). An absent person has no motion:
    its tokens are masked uniformly.

    The published code adds the noise to a log-softmax of the motion; the softmax takes
    the same from all tokens of a sequence, which changes no order, and is left out. One
    number differs: it keeps int(L * (1 - mask_ratio)) tokens, which floating point
    makes 74 for L = 750 and ratio 0.9, where 75 are kept here.

    All channels count as coordinates. A keypoint score that FormatGCNInput appended
    counts as one too, and its flicker as motion.

    Args:
        mask_ratio: See :class:`BaseSkeletonMasking`.
        t_patch_size: See :class:`BaseSkeletonMasking`.
        tau: Temperature: the smaller, the more the moving tokens are preferred. MAMP
            uses 0.80 on NTU-60 and PKU-MMD, 0.75 on NTU-120.
        key: See :class:`BaseSkeletonMasking`.

    Raises:
        ValueError: ``tau`` is not positive, or as in :class:`BaseSkeletonMasking`.
    """

    def __init__(
        self,
        mask_ratio: float,
        t_patch_size: int,
        tau: float = 0.75,
        key: str = 'mask',
    ) -> None:
        super().__init__(mask_ratio, t_patch_size, key)
        if tau <= 0:
            raise ValueError(f'tau={tau} must be positive.')
        self.tau = tau

    def score(self, keypoint: np.ndarray) -> np.ndarray:
        """Relative motion plus Gumbel noise, (K, M, L)."""
        shape = self.token_shape(keypoint)
        motion = self._motion(keypoint).reshape(shape)
        motion /= motion.max(axis=-1, keepdims=True) * self.tau + 1e-10
        return motion - np.log(np.random.standard_exponential(shape) + 1e-10)

    def _motion(self, keypoint: np.ndarray) -> np.ndarray:
        """Mean absolute change from the patch before, (K, M, T', V)."""
        clips, persons, frames, joints, channels = keypoint.shape
        p = self.t_patch_size
        motion = np.zeros((clips, persons, frames // p, joints), keypoint.dtype)
        if frames > p:
            change = np.abs(keypoint[:, :, p:] - keypoint[:, :, :-p])
            change = change.reshape(clips, persons, -1, p, joints, channels)
            # A product for the mean over the channels, as sums over an axis of two or
            # three values are slow.
            motion[:, :, 1:] = change.sum(axis=3) @ np.full(
                channels, 1 / p / channels, keypoint.dtype
            )
            motion[:, :, 0] = motion[:, :, 1]
        return motion

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(mask_ratio={self.mask_ratio}, '
            f't_patch_size={self.t_patch_size}, tau={self.tau}, key={self.key!r})'
        )


@TRANSFORMS.register_module()
class BodyPartTubeMasking(BaseSkeletonMasking):
    """Masks whole body parts over stretches of time.

    A tube is one part of the layout over ``tube_patches`` consecutive tokens of time.
    Tubes are masked in random order until the count is reached; of the last one only
    as many random tokens as are still missing. Where the stretches begin is random for
    every sequence, so the first and the last may be shorter.

    Args:
        mask_ratio: See :class:`BaseSkeletonMasking`.
        t_patch_size: See :class:`BaseSkeletonMasking`.
        layout: The skeleton layout of the clips, as taken by
            :func:`fdmae_mm.datasets.layouts.get_layout`.
        tube_patches: Length of a tube, in tokens.
        key: See :class:`BaseSkeletonMasking`.

    Raises:
        ValueError: ``tube_patches`` is less than 1, the clips have another number of
            joints than the layout, or as in :class:`BaseSkeletonMasking`.
    """

    def __init__(
        self,
        mask_ratio: float,
        t_patch_size: int,
        layout: str | Mapping | SkeletonLayout,
        tube_patches: int,
        key: str = 'mask',
    ) -> None:
        super().__init__(mask_ratio, t_patch_size, key)
        if tube_patches < 1:
            raise ValueError(f'tube_patches={tube_patches} must be at least 1.')
        self.layout = get_layout(layout)
        self.tube_patches = tube_patches
        self.part_of_joint = np.empty(self.layout.num_joints, dtype=np.int64)
        for part, joints in enumerate(self.layout.parts.values()):
            self.part_of_joint[list(joints)] = part

    def score(self, keypoint: np.ndarray) -> np.ndarray:
        """The random rank of each token's tube, plus noise below 1, (K, M, L)."""
        clips, persons, num_tokens = self.token_shape(keypoint)
        joints = keypoint.shape[3]
        if joints != self.layout.num_joints:
            raise ValueError(
                f'keypoint has V={joints} joints, but layout {self.layout.name!r} has '
                f'{self.layout.num_joints}. Set layout to that of the data.'
            )
        sequences, num_parts = clips * persons, len(self.layout.parts)
        times = num_tokens // joints
        phase = np.random.randint(self.tube_patches, size=(sequences, 1))
        stretch = (np.arange(times) + phase) // self.tube_patches  # (KM, T')
        tube = stretch[..., None] * num_parts + self.part_of_joint  # (KM, T', V)

        num_tubes = ((times - 1) // self.tube_patches + 2) * num_parts
        rank = np.random.rand(sequences, num_tubes).argsort(axis=-1)
        score = np.take_along_axis(rank, tube.reshape(sequences, -1), axis=-1)
        score = score + np.random.rand(sequences, num_tokens)
        return score.reshape(clips, persons, num_tokens)

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}(mask_ratio={self.mask_ratio}, '
            f't_patch_size={self.t_patch_size}, layout={self.layout.name!r}, '
            f'tube_patches={self.tube_patches}, key={self.key!r})'
        )
