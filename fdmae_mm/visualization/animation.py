"""The pictures of :func:`draw_reconstruction` as an animation."""

import os

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from ..datasets.layouts import SkeletonLayout
from ..files import written_whole
from .reconstruction import draw_frame, panels
from .style import PAGE, new_figure


def save_animation(
    original: np.ndarray,
    mask: np.ndarray,
    reconstructed: np.ndarray,
    layout: SkeletonLayout,
    path: str | os.PathLike,
    title: str = '',
) -> None:
    """Save a GIF of a clip, of what the encoder saw of it, and of its completion.

    Args:
        original (np.ndarray): Coordinates in metres, y up, shape (T, V, C >= 2). The
            first two coordinates are drawn.
        mask (np.ndarray): Bool, shape (T, V). True marks a masked joint.
        reconstructed (np.ndarray): Same shape as ``original``.
        layout (SkeletonLayout): Bones to draw.
        path (path-like): Where the animation goes.
        title (str): Drawn above.
    """
    shown = np.stack([original, reconstructed])
    measured = shown[shown.any(axis=-1)][:, :2]
    low, high = measured.min(axis=0), measured.max(axis=0)
    margin = 0.08 * (high - low).max() or 1
    fig = new_figure(PAGE, PAGE / 2)
    canvas, axes = FigureCanvasAgg(fig), fig.subplots(1, 3)
    fig.suptitle(title, fontsize=10)
    for ax, name in zip(axes, panels(mask), strict=True):
        ax.set_title(name, fontsize=9)
        ax.set_axis_off()
        ax.set_aspect('equal')
        ax.set_xlim(low[0] - margin, high[0] + margin)
        ax.set_ylim(low[1] - margin, high[1] + margin)
    pictures = []
    for t in range(len(original)):
        draw_frame(axes, original[t], ~mask[t], reconstructed[t], layout)
        canvas.draw()
        pictures.append(Image.fromarray(np.array(canvas.buffer_rgba())))
        fig.set_layout_engine('none')  # the first frame has set the places
        for line in [line for ax in axes for line in ax.lines]:
            line.remove()
    with written_whole(path) as part:
        pictures[0].save(
            part,
            format='gif',
            save_all=True,
            append_images=pictures[1:],
            duration=100,  # ms a frame
            loop=0,
        )
