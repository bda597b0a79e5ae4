"""What a masking strategy hides."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ..datasets.layouts import SkeletonLayout
from ..models.layers import present_sequences
from .style import ORIGINAL, PAGE, draw_body, new_figure, styled


def masked_share(clips: Iterable[dict], key: str = 'mask') -> np.ndarray:
    """How often each token is masked, over the persons who are present.

    Args:
        clips (Iterable[dict]): What a pre-training pipeline gives: ``inputs``, shape
            (K, M, T, V, C), and ``data_samples`` with a mask (K, M, L).
        key (str): Which mask; ``'teacher_mask'`` is that of the momentum path.

    Returns:
        np.ndarray: Shares in [0, 1], shape (T', V).

    Raises:
        KeyError: A clip has no such mask.
        ValueError: There is nobody in any clip.
    """
    total, count = 0, 0
    for clip in clips:
        mask = clip['data_samples'].get(key)
        if mask is None:
            raise KeyError(
                f'The clips have no {key!r}: it is written by a masking transform and '
                f'handed on by PackActionInputs(algorithm_keys=({key!r},)).'
            )
        x = clip['inputs']
        present = present_sequences(x.flatten(0, 1))
        masks = mask.flatten(0, 1)[present].unflatten(1, (-1, x.shape[3]))
        total = total + masks.sum(0, dtype=torch.float64)
        count += len(masks)
    if not count:
        raise ValueError('There is nobody in any clip.')
    return (total / count).numpy()


@styled
def plot_masking(
    share: np.ndarray,
    pose: np.ndarray,
    layout: SkeletonLayout,
    clip_len: int,
    width: float = PAGE,
) -> Figure:
    """Share masked of each joint, on the body, and over time.

    Args:
        share (np.ndarray): In [0, 1], shape (T', V), see :func:`masked_share`.
        pose (np.ndarray): Shape (V, 2), see :func:`average_pose`.
        layout (SkeletonLayout): Of the V joints.
        clip_len (int): Frames T of a clip.
        width (float): Of the figure, in inches.
    """
    share = 100 * share
    figure = new_figure(width, 0.33 * width)
    body, time = figure.subplots(1, 2, width_ratios=(1, 4))
    joints = share.mean(0)
    low, high = _limits(joints)
    drawn = draw_body(body, pose, layout, joints, Normalize(low, high))
    figure.colorbar(drawn, ax=body, label='masked, % of the time', aspect=30)
    frames = clip_len / len(share)
    edges = np.arange(len(share) + 1) * frames
    time.stairs(share.mean(1), edges, color=ORIGINAL, lw=1.5, baseline=None)
    time.set(
        xlim=(0, clip_len),
        ylim=_limits(share.mean(1)),
        xlabel='frame of the clip',
        ylabel='masked, % of the joints',
    )
    time.grid(axis='y', lw=0.3)
    return figure


def _limits(shares: np.ndarray) -> tuple[float, float]:
    """Limits around shares in %, not so close that noise looks like a pattern."""
    middle = (shares.min() + shares.max()) / 2
    half = max(2.5, 0.6 * np.ptp(shares))
    return max(0, middle - half), min(100, middle + half)
