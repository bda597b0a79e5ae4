"""Features of an encoder as a map of clips."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from matplotlib import patheffects
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.spatial.distance import cdist

from .style import COLUMN, PALETTE, new_figure, styled

_MARKERS = 'os^DvPX*<>'
# Clips that tell the centre of a class: all pairs of a large one would not fit memory.
_SAMPLE = 2000


def embed_features(
    features: np.ndarray, method: str = 'tsne', seed: int = 0
) -> np.ndarray:
    """Two coordinates for each feature, near where the cosine is high, as for k-NN.

    Args:
        features (np.ndarray): Shape (S, D).
        method (str): ``'tsne'`` (van der Maaten and Hinton, 2008; perplexity 30, or
            less for fewer than 91 clips) or ``'umap'`` (McInnes et al., 2018; 15
            neighbours).
        seed (int): Of the start.

    Returns:
        np.ndarray: Shape (S, 2).

    Raises:
        ImportError: The package of the method is missing.
        ValueError: The method is unknown, or there are less than four clips.
    """
    if len(features) < 4:
        raise ValueError(f'{len(features)} clips are too few for a map.')
    if method == 'tsne':
        if find_spec('sklearn') is None:
            raise ImportError('t-SNE needs scikit-learn: pip install "fdmae_mm[plot]"')
        from sklearn.manifold import TSNE

        perplexity = min(30, (len(features) - 1) / 3)
        model = TSNE(
            perplexity=perplexity, metric='cosine', init='pca', random_state=seed
        )
    elif method == 'umap':
        if find_spec('umap') is None:
            raise ImportError('UMAP needs umap-learn: pip install umap-learn')
        from umap import UMAP

        neighbors = min(15, len(features) - 1)
        model = UMAP(n_neighbors=neighbors, metric='cosine', random_state=seed)
    else:
        raise ValueError(f"method={method!r} must be 'tsne' or 'umap'.")
    return model.fit_transform(features)


@styled
def plot_features(
    points: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str] | None = None,
    width: float = COLUMN,
) -> tuple[Figure, dict[str, np.ndarray]]:
    """A map of clips, coloured by class, with the name of a class at its centre.

    Args:
        points (np.ndarray): Shape (S, 2), see :func:`embed_features`.
        labels (np.ndarray): Class of each clip, shape (S,).
        classes (Sequence[str], optional): Names; by default the labels.
        width (float): Of the figure, in inches.

    Returns:
        tuple: The figure, and the centre of each class by its name: its clip with the
        smallest sum of distances to the others, or to every nth where they are more
        than 2,000.
    """
    spread = np.ptp(points, axis=0)
    figure = new_figure(width, width * np.clip(spread[1] / spread[0], 0.6, 1.2))
    ax = figure.add_subplot()
    ax.set_aspect('equal', adjustable='datalim')
    # The axes of such a map have neither a unit nor a direction.
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    found = np.unique(labels)
    centers, names = {}, []
    for index, label in enumerate(found):
        name = str(label) if classes is None else classes[label]
        members = points[labels == label]
        # A median could lie between two groups of a class, on another one.
        others = members[:: math.ceil(len(members) / _SAMPLE)]
        centers[name] = members[cdist(others, members).sum(0).argmin()]
        color = PALETTE[index % len(PALETTE)]
        marker = _MARKERS[index // len(PALETTE) % len(_MARKERS)]
        ax.scatter(
            *members.T, s=7 * width / COLUMN, c=color, marker=marker, lw=0, alpha=0.6
        )
        names.append(
            ax.text(
                *centers[name],
                textwrap.fill(name, 14),
                size=7 if len(found) <= 20 else 5,
                color=0.75 * np.array(to_rgb(color)),  # darker, to be read
                ha='center',
                va='center',
                linespacing=0.9,
                path_effects=[patheffects.withStroke(linewidth=2, foreground='white')],
            )
        )
    figure.draw_without_rendering()
    _part(names)
    return figure, centers


def _part(texts: list[Text]) -> None:
    """Push texts up and down until none lies on another, or for a hundred rounds."""
    boxes = np.array([text.get_window_extent().extents for text in texts])
    for _ in range(100):
        moved = False
        for i, box in enumerate(boxes):
            near = (_overlap(box, boxes[i + 1 :]) > 0).all(1)
            for j in i + 1 + np.flatnonzero(near):
                overlap = _overlap(box, boxes[j])
                if (overlap > 0).all():  # still, after the box was pushed by another
                    moved = True
                    low, high = sorted((i, j), key=lambda k: boxes[k, 1])
                    boxes[low, 1::2] -= overlap[1] / 2 + 0.5
                    boxes[high, 1::2] += overlap[1] / 2 + 0.5
        if not moved:
            break
    for text, box in zip(texts, boxes, strict=True):
        middle = (box[:2] + box[2:]) / 2
        text.set_position(text.axes.transData.inverted().transform(middle))


def _overlap(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Width and height that (4,) shares with each of (..., 4), below 0 for a gap."""
    return np.minimum(box[2:], boxes[..., 2:]) - np.maximum(box[:2], boxes[..., :2])
