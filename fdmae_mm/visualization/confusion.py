"""Which classes a model takes for which."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from mmaction.evaluation import ConfusionMatrix

from ..evaluation import read_scores
from .style import COLUMN, PAGE, new_figure, styled

# Grey is a class without clips.
_COLORS = colormaps['Blues'].with_extremes(bad='#EEEEEE')


def read_confusion(
    path: str | os.PathLike, classes: Sequence[str] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Counts of clips by true and predicted class, and the names of the classes.

    Args:
        path (path-like): ``confusion_matrix.csv`` of ``AccReport(out_dir=...)``, or
            what ``tools/test.py --dump`` wrote, a .pkl file.
        classes (Sequence[str], optional): Names for a .pkl file, which has none.

    Returns:
        tuple: Counts, shape (classes, classes), rows are true classes; and names.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is neither of the two, or there are fewer names than
            classes.
    """
    if Path(path).suffix in ('.pkl', '.pickle'):
        scores, labels, _ = read_scores(path)
        matrix = ConfusionMatrix.calculate(scores, labels).numpy()
        names = list(classes or map(str, range(len(matrix))))
        if len(names) < len(matrix):
            raise ValueError(
                f'{path} has {len(matrix)} classes, but {len(names)} names are given.'
            )
        return matrix, names[: len(matrix)]
    with open(path, newline='', encoding='utf-8') as file:
        header, *rows = list(csv.reader(file)) or [[]]
    try:
        matrix = np.array([[int(count) for count in row[1:]] for row in rows])
    except ValueError:
        matrix = np.empty(0)
    if matrix.shape != (len(rows), len(rows)) or len(header) != len(rows) + 1:
        raise ValueError(
            f'{path} is no confusion matrix: expected a header of class names and a '
            'row of counts for each, as AccReport(out_dir=...) writes them.'
        )
    return matrix, header[1:]


@styled
def plot_confusion(
    matrix: np.ndarray, names: Sequence[str], width: float | None = None
) -> tuple[Figure, np.ndarray]:
    """Confusion matrix, each row in % of the clips of its true class.

    Up to 20 classes have their share written in; a larger matrix is for the eye.

    Args:
        matrix (np.ndarray): Counts, shape (classes, classes), rows are true classes.
        names (Sequence[str]): Names of the classes.
        width (float, optional): Of the figure, in inches; by default a column of a
            paper for up to 20 classes, a page for more.

    Returns:
        tuple: The figure, and the shares in %, NaN in the row of a class without
        clips.
    """
    count = len(matrix)
    few = count <= 20
    width = width or (COLUMN if few else PAGE)
    clips = matrix.sum(1, keepdims=True)
    with np.errstate(invalid='ignore'):
        shares = 100 * matrix / np.where(clips, clips, np.nan)
    # A row must hold its name: what the figure leaves to the matrix, over the rows.
    size = min(7, 72 * 0.62 * width / count)
    figure = new_figure(width, 0.92 * width)
    ax = figure.add_subplot()
    image = ax.imshow(shares, cmap=_COLORS, vmin=0, vmax=100, aspect='auto')
    ax.set_xticks(range(count), names, rotation=90, fontsize=size)
    ax.set_yticks(range(count), names, fontsize=size)
    ax.tick_params(length=0, pad=2)
    ax.spines[:].set_visible(True)
    ax.set(xlabel='predicted class', ylabel='true class')
    if few:
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.5:
                color = 'white' if share > 55 else 'black'
                ax.text(
                    column,
                    row,
                    f'{share:.0f}',
                    color=color,
                    size=0.85 * size,
                    ha='center',
                    va='center',
                )
    figure.colorbar(image, ax=ax, label='% of the true class', pad=0.02, aspect=40)
    return figure, shares
