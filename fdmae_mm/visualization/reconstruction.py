import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..datasets.layouts import SkeletonLayout
from ..files import written_whole
from .style import FAINT, ORIGINAL, PREDICTED

_FRAMES = 8  # of a picture


def draw_reconstruction(
    original: np.ndarray,
    mask: np.ndarray,
    reconstructed: np.ndarray,
    layout: SkeletonLayout,
    path: str | os.PathLike,
    title: str = '',
) -> None:
    """Save a picture of a clip, of what the encoder saw of it, and of its completion.

    Args:
        original (np.ndarray): Coordinates in metres, y up, shape (T, V, C >= 2). The
            first two coordinates are drawn.
        mask (np.ndarray): Bool, shape (T, V). True marks a masked joint.
        reconstructed (np.ndarray): Same shape as ``original``.
        layout (SkeletonLayout): Bones to draw.
        path (path-like): Where the picture goes; its suffix tells the format.
        title (str): Drawn above.
    """
    shown = np.linspace(0, len(original) - 1, _FRAMES).round().astype(int)
    fig = Figure(figsize=(1.5 * _FRAMES, 6.3))
    axes = fig.subplots(3, _FRAMES, sharex=True, sharey=True)
    for column, t in zip(axes.T, shown, strict=True):
        draw_frame(column, original[t], ~mask[t], reconstructed[t], layout)
        column[0].set_title(f'frame {t}', fontsize=9)
    for name, ax in zip(panels(mask), axes[:, 0], strict=True):
        ax.set_ylabel(name, fontsize=10)
    for ax in axes.flat:
        ax.set_aspect('equal')
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    fig.suptitle(title, fontsize=11)
    fig.tight_layout()
    with written_whole(path) as part:
        fig.savefig(part, format=Path(path).suffix[1:], dpi=130)


def panels(mask: np.ndarray) -> tuple[str, str, str]:
    """What :func:`draw_frame` shows."""
    return 'original', f'visible ({1 - mask.mean():.0%})', 'reconstructed'


def draw_frame(
    axes: Iterable[Axes],
    original: np.ndarray,
    visible: np.ndarray,
    reconstructed: np.ndarray,
    layout: SkeletonLayout,
) -> None:
    """Draw joints (V, C >= 2) as they were, as the encoder saw them, and completed."""
    whole, seen, completed = axes
    draw_bones(whole, original, layout, ORIGINAL)
    draw_bones(seen, original, layout, FAINT)
    draw_joints(seen, original, visible)
    draw_bones(completed, original, layout, FAINT)
    draw_bones(completed, reconstructed, layout, PREDICTED)
    draw_joints(completed, reconstructed, visible)


def draw_bones(
    ax: Axes, joints: np.ndarray, layout: SkeletonLayout, color: str
) -> None:
    """Draw the bones between joints (V, C >= 2) that were measured, as one line."""
    ends = joints[np.array(layout.edges), :2].astype(float)  # (bones, 2, 2)
    ends = ends[ends.any(axis=2).all(axis=1)]  # a joint of zeros was not measured
    # NaN lifts the pen: a line a bone would cost most of the time of a picture.
    line = np.pad(ends, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
    ax.plot(*line.reshape(-1, 2).T, '-', lw=1.6, color=color)


def draw_joints(ax: Axes, joints: np.ndarray, visible: np.ndarray) -> None:
    """Draw dots at those of the joints (V, C >= 2) that were seen and measured."""
    measured = joints.any(axis=-1)
    ax.plot(*joints[visible & measured, :2].T, 'o', ms=3.5, color=ORIGINAL)
