import os

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from ..datasets.layouts import SkeletonLayout
from .style import FAINT, ORIGINAL, PREDICTED


def draw_reconstruction(
    original: np.ndarray,
    mask: np.ndarray,
    reconstructed: np.ndarray,
    layout: SkeletonLayout,
    path: str | os.PathLike,
    title: str = '',
    num_frames: int = 8,
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
        num_frames (int): Frames that are shown, evenly spaced.
    """
    shown = np.linspace(0, len(original) - 1, num_frames).round().astype(int)
    rows = ('original', f'visible ({1 - mask.mean():.0%})', 'reconstructed')
    fig, axes = plt.subplots(
        3, num_frames, figsize=(1.5 * num_frames, 6.3), sharex=True, sharey=True
    )
    for column, t in enumerate(shown):
        top, middle, bottom = axes[:, column]
        _bones(top, original[t], layout, ORIGINAL)
        _bones(middle, original[t], layout, FAINT)
        middle.plot(*original[t][~mask[t], :2].T, 'o', ms=3.5, color=ORIGINAL)
        _bones(bottom, original[t], layout, FAINT)
        _bones(bottom, reconstructed[t], layout, PREDICTED)
        bottom.plot(*reconstructed[t][~mask[t], :2].T, 'o', ms=3.5, color=ORIGINAL)
        top.set_title(f'frame {t}', fontsize=9)
    for name, ax in zip(rows, axes[:, 0], strict=True):
        ax.set_ylabel(name, fontsize=10)
    for ax in axes.flat:
        ax.set_aspect('equal')
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    fig.suptitle(title, fontsize=11)
    fig.tight_layout()
    fig.savefig(path, dpi=130)
    plt.close(fig)


def _bones(ax: Axes, joints: np.ndarray, layout: SkeletonLayout, color: str) -> None:
    for bone in layout.edges:
        ends = joints[list(bone), :2]
        if ends.any(axis=1).all():  # a joint of zeros was not measured
            ax.plot(*ends.T, '-', lw=1.6, color=color)
