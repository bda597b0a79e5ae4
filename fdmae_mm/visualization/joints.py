"""Reconstruction error of each joint, and of each joint in each frequency band."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mmaction.models.recognizers import BaseRecognizer
from scipy.fft import dct
from torch import Tensor

from ..datasets.layouts import SkeletonLayout
from ..models.heads import WindowHead, scale_bands
from ..models.layers import frame_mask, present_sequences
from ..models.recognizers import SkeletonMAE
from ..models.targets import motion
from .curves import fraction
from .style import COLUMN, PAGE, draw_body, new_figure, styled


class JointErrors(NamedTuple):
    """What a time-domain head gets wrong in masked places.

    Attributes:
        signal (str): ``'joint'`` or ``'motion'``, whose error it is.
        distance (np.ndarray): Mean Euclidean distance between prediction and truth, in
            the unit of the data, for motion a frame, shape (V,). NaN of a joint that
            was never masked.
        error (np.ndarray): Energy of the motion's error in each band, a sum over clips
            in the squared unit of the data, shape (bands, V).
        silent (np.ndarray): The same of a head that predicts zeros. A normalised target
            takes each cell's mean and scale from the original, so a silent head is not
            always wrong altogether, and can be worse than no motion.
        power (np.ndarray): Energy of the true motion, shape (bands, V).
    """

    signal: str
    distance: np.ndarray
    error: np.ndarray
    silent: np.ndarray
    power: np.ndarray


def time_heads(model: BaseRecognizer) -> list[str]:
    """Names of the heads that predict a signal in time.

    Raises:
        ValueError: The model has none.
    """
    heads = getattr(model, 'heads', {})
    names = [name for name, head in heads.items() if isinstance(head, WindowHead)]
    if not names:
        raise ValueError(
            f'{type(model).__name__} has no time-domain head, so it reconstructs '
            'nothing: take a pre-training config with one.'
        )
    return names


def time_head(model: BaseRecognizer, name: str) -> WindowHead:
    """A head that predicts a signal in time, by its name.

    Raises:
        KeyError: The model has no such head.
        ValueError: The model has none.
    """
    if name not in (heads := time_heads(model)):
        raise KeyError(f'head={name!r}: the model has the time-domain heads {heads}.')
    return model.heads[name]


@torch.no_grad()
def joint_errors(
    model: SkeletonMAE,
    batches: Iterable[dict],
    head: str = 'time',
    signal: str | None = None,
    band_edges: Sequence[float] = (),
    num_coordinates: int | None = None,
) -> JointErrors:
    """Errors of a head's completion of masked clips, over a data set.

    As in MAE's pictures, a normalised target takes each cell's mean and scale from the
    original, and motion is summed up from the first frame.

    Args:
        model (SkeletonMAE): A pre-training model.
        batches (Iterable[dict]): A data loader with masks.
        head (str): Name of a :class:`WindowHead` of the model.
        signal (str, optional): ``'joint'``, errors of positions, or ``'motion'``, of
            frame differences; by default what the head predicts.
        band_edges (Sequence[float]): Edges of frequency bands in cycles a frame, from 0
            to 0.5; empty: no bands.
        num_coordinates (int, optional): Of a joint, by default all values it has. What
            comes after them, the score of 2-D joints, is no distance.

    Raises:
        KeyError: The model has no such head.
        ValueError: ``signal`` is unknown.
    """
    predictor = time_head(model, head)
    signal = signal or predictor.target.signal_name
    if signal not in ('joint', 'motion'):
        raise ValueError(f"signal={signal!r} must be 'joint' or 'motion'.")
    model.eval()
    backbone = model.backbone
    ranges = scale_bands(backbone.clip_len, band_edges)
    total, count = np.zeros((2, backbone.num_joints))
    spectra = np.zeros((3, backbone.clip_len, backbone.num_joints))
    for batch in batches:
        batch = model.data_preprocessor(batch, training=False)
        inputs, samples = batch['inputs'], batch['data_samples']
        x = inputs.flatten(0, 2)
        present = present_sequences(x)
        x = x[present][..., :num_coordinates]
        completed = model.reconstruct(inputs, samples, head).flatten(0, 2)[present]
        completed = completed[..., :num_coordinates]
        error = completed - x
        if signal == 'motion':
            error = motion(error)
        mask = torch.stack([s.mask for s in samples]).flatten(0, 2)
        mask = mask.to(x.device)[present]
        hidden = frame_mask(mask, backbone.num_joints, backbone.t_patch_size)
        if signal == 'motion':
            hidden[:, -1] = False  # zero by definition
        total += (error.norm(dim=-1) * hidden).sum((0, 1)).cpu().numpy()
        count += hidden.sum((0, 1)).cpu().numpy()
        if ranges:
            with _silent(predictor):
                nothing = model.reconstruct(inputs, samples, head)
            nothing = nothing.flatten(0, 2)[present][..., :num_coordinates]
            spectra += [_power(y) for y in (completed - x, nothing - x, x)]
    bands = [spectra[:, low:high].sum(1) for low, high in ranges]  # (3, V) each
    energies = np.stack(bands, axis=1) if bands else spectra[:, :0]
    with np.errstate(invalid='ignore'):
        return JointErrors(signal, total / count, *energies)


@contextmanager
def _silent(head: WindowHead) -> Iterator[None]:
    """Lets a head predict zeros."""
    handle = head.project.register_forward_hook(lambda m, args, out: out * 0)
    try:
        yield
    finally:
        handle.remove()


def _power(x: Tensor) -> np.ndarray:
    """Power spectrum of the motion, (N, T, V, C) -> (T, V), sum over the rest."""
    coefficients = dct(motion(x).double().cpu().numpy(), norm='ortho', axis=1)
    return np.square(coefficients).sum((0, 3))


@styled
def plot_joint_errors(
    errors: Mapping[str, JointErrors],
    pose: np.ndarray,
    layout: SkeletonLayout,
    band_edges: Sequence[float] = (),
    unit: str = 'm',
    width: float | None = None,
) -> Figure:
    """Errors of joints on the body; with bands a row a head and a column a band.

    The error of a band is drawn over the power of the motion: 0 is perfect, 1 is no
    better than no motion, and more is darkest too.

    Args:
        errors (Mapping[str, JointErrors]): By the name of the head, all of one signal.
        pose (np.ndarray): Shape (V, 2), see :func:`average_pose`.
        layout (SkeletonLayout): Of the V joints.
        band_edges (Sequence[float]): Those of ``errors``.
        unit (str): Unit of the data's coordinates.
        width (float, optional): Of the figure, in inches; by default a column of a
            paper for up to two bodies in a row, a page for more.

    Raises:
        ValueError: The errors are of different signals, or there are none.
    """
    signals = {error.signal for error in errors.values()}
    if len(signals) != 1:
        raise ValueError(
            f'Errors of one signal are comparable, these are of {sorted(signals)}.'
        )
    num_bands = max(len(band_edges) - 1, 0)
    shape = (len(errors), 1 + num_bands) if num_bands else (1, len(errors))
    width = width or (COLUMN if shape[1] <= 2 else PAGE)
    height = min(1.9, 1.3 * width / shape[1])
    figure = new_figure(width, 0.7 + height * shape[0])
    axes = figure.subplots(*shape, squeeze=False)
    axes = axes if num_bands else axes.T  # a head in each row
    largest = max(np.nanmax(error.distance) for error in errors.values())
    for row, (name, error) in zip(axes, errors.items(), strict=True):
        norm = Normalize(0, largest)
        distance = draw_body(row[0], pose, layout, error.distance, norm)
        row[0].set_ylabel(name)
        with np.errstate(invalid='ignore'):  # a joint that never moves
            missed = error.error / error.power
        for ax, values in zip(row[1:], missed, strict=True):
            bands = draw_body(ax, pose, layout, values, Normalize(0, 1))
    place = {'joint': f'error of position ({unit})'}
    label = place.get(signals.pop(), f'error of motion ({unit} a frame)')
    _color_bar(figure, distance, axes[:, :1] if num_bands else axes.T, label)
    if num_bands:
        for ax, (low, high) in zip(axes[0, 1:], pairwise(band_edges), strict=True):
            ax.set_title(f'{fraction(low)} to {fraction(high)}\ncycles a frame')
        label = 'error of the band over the power of the motion'
        _color_bar(figure, bands, axes[:, 1:], label, extend='max')
    return figure


def _color_bar(
    figure: Figure,
    drawn: PathCollection,
    axes: np.ndarray,
    label: str,
    extend: str = 'neither',
) -> None:
    figure.colorbar(
        drawn,
        ax=axes,
        label=label,
        extend=extend,
        location='bottom',
        aspect=15 * axes.shape[1],
        ticks=MaxNLocator(4),
    )
