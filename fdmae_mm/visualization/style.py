"""The look that all plots share, and the body that joints are drawn on.

Colours are told apart by colour-blind readers and in grey print; sizes are those of a
paper of two columns. Nothing here touches pyplot or a global setting.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from ..datasets.layouts import SkeletonLayout
from ..files import written_whole

# Okabe-Ito (https://jfly.uni-koeln.de/color/) without its yellow, which white paper
# swallows.
PALETTE = (
    '#0072B2',
    '#D55E00',
    '#009E73',
    '#CC79A7',
    '#56B4E9',
    '#E69F00',
    '#000000',
)
ORIGINAL, PREDICTED, FAINT = PALETTE[0], PALETTE[1], '#BBBBBB'
# Light to dark, so that grey print keeps the order.
SEQUENTIAL = colormaps['cividis_r'].with_extremes(bad='white')

COLUMN, PAGE = 3.5, 7.0  # widths in inches

# What Linux, Windows and macOS have for the scripts that Matplotlib's own font lacks,
# in which class names may be written.
CJK_FONTS = (
    'Noto Sans CJK SC',
    'Noto Sans CJK JP',
    'Source Han Sans SC',
    'WenQuanYi Zen Hei',
    'IPAexGothic',
    'Microsoft YaHei',
    'SimHei',
    'Yu Gothic',
    'Malgun Gothic',
    'PingFang SC',
    'Hiragino Sans GB',
    'Arial Unicode MS',
)


def font_families() -> list[str]:
    """The font of a plot, and those that it takes what is missing there from."""
    installed = set(get_font_names())
    return ['sans-serif', *(name for name in CJK_FONTS if name in installed)]


STYLE = {
    'font.family': font_families(),
    'font.size': 8,
    'axes.titlesize': 8,
    'axes.labelsize': 8,
    'xtick.labelsize': 7,
    'ytick.labelsize': 7,
    'legend.fontsize': 7,
    'legend.frameon': False,
    'axes.linewidth': 0.6,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'lines.linewidth': 1.2,
    # Type 3 fonts are refused by IEEE and others.
    'pdf.fonttype': 42,
}
# As a decorator: the settings hold while a figure is made, and no longer.
styled = rc_context(STYLE)

FORMATS = ('.pdf', '.svg', '.png')


def new_figure(width: float, height: float) -> Figure:
    """A figure of this size in inches, known to no global state."""
    return Figure(figsize=(width, height), layout='constrained')


@styled
def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure, whole or not at all, in the format of the suffix.

    Args:
        figure (Figure): What to write.
        path (path-like): Ends in .pdf, .svg or .png (300 dots an inch).

    Raises:
        ValueError: The suffix is another one.
    """
    suffix = Path(path).suffix
    if suffix not in FORMATS:
        raise ValueError(f'{path} must end in one of {", ".join(FORMATS)}.')
    with written_whole(path) as part:
        figure.savefig(part, format=suffix[1:], dpi=300)


def average_pose(clips: Iterable[np.ndarray], layout: SkeletonLayout) -> np.ndarray:
    """The mean pose of clips as it is seen from the front, head up.

    Every frame is turned into the axes of its own body, spine up and the left side to
    the right, before the mean is taken; a layout without hips and shoulders is taken as
    it lies, first coordinate to the right and second up.

    Args:
        clips (Iterable[np.ndarray]): Each of shape (..., V, C), coordinates alone.
            Frames with a joint of zeros, which was not measured, are left out.
        layout (SkeletonLayout): Meaning of the V joints.

    Returns:
        np.ndarray: Shape (V, 2).

    Raises:
        ValueError: No frame has all joints.
    """
    poses = np.concatenate([clip.reshape(-1, *clip.shape[-2:]) for clip in clips])
    # The centre of an aligned clip lies on the origin and is no lost joint.
    seen = (poses != 0).any(-1).sum(1) >= layout.num_joints - 1
    poses = poses[seen].astype(np.float64)
    if not len(poses):
        raise ValueError('No frame of the clips has all joints, so there is no pose.')
    sides = layout.shoulders or layout.hips
    if layout.line_up is None or sides is None:
        return poses[..., :2].mean(0)
    bottom, top = layout.line_up
    right, left = sides
    low = poses[:, bottom].mean(1)
    up = _unit(poses[:, top].mean(1) - low)
    side = poses[:, left] - poses[:, right]
    side = _unit(side - (side * up).sum(-1, keepdims=True) * up)
    poses = poses - low[:, None]
    return (poses @ np.stack([side, up], axis=-1)).mean(0)


def draw_body(
    ax: Axes,
    pose: np.ndarray,
    layout: SkeletonLayout,
    values: np.ndarray,
    norm: Normalize,
) -> PathCollection:
    """Draw a number of each joint on a body; returns what a colour bar takes.

    Args:
        ax (Axes): Where to draw.
        pose (np.ndarray): Shape (V, 2), see :func:`average_pose`.
        layout (SkeletonLayout): Bones to draw.
        values (np.ndarray): Shape (V,); NaN is drawn white.
        norm (Normalize): From values to colours.
    """
    for bone in layout.edges:
        ax.plot(*pose[list(bone)].T, '-', lw=1.5, color=FAINT, zorder=1)
    # Values in order, so that a high one is not hidden under its neighbour.
    order = np.argsort(np.nan_to_num(values, nan=-np.inf))
    joints = ax.scatter(
        *pose[order].T,
        c=values[order],
        s=32,
        cmap=SEQUENTIAL,
        norm=norm,
        edgecolors='black',
        linewidths=0.4,
        plotnonfinite=True,
        zorder=2,
    )
    ax.set_aspect('equal')
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.margins(0.12)
    return joints


def joints_by_part(layout: SkeletonLayout) -> list[int]:
    """Joint indices, one part of the body after the other: an order for an axis."""
    return [joint for part in layout.parts.values() for joint in part]


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
