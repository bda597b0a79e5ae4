"""Scalars of training runs as curves: any, or the errors of the frequency bands."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from ..files import config_setting
from .style import PAGE, PALETTE, new_figure, styled

_SEED = re.compile(r'[_-](?:s|seed)\d+(?=$|/)')
_BAND = re.compile(r'(.+)_w(\d+)_band(\d+)')


class Curve(NamedTuple):
    """A scalar of the seeds of a run, at the steps that all of them have logged.

    Attributes:
        steps (np.ndarray): Optimizer steps, or epochs for what a validation logged
            by epoch, which is MMEngine's default, shape (S,).
        raw (np.ndarray): As logged, shape (seeds, S).
        mean (np.ndarray): Mean over seeds, smoothed, shape (S,).
        spread (np.ndarray): Sample standard deviation over the smoothed seeds, 0 for
            one seed, shape (S,).
        unit (str): ``'step'`` or ``'epoch'``.
    """

    steps: np.ndarray
    raw: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    unit: str


Curves = dict[str, dict[str, Curve]]  # key of the log -> name of the run -> curve


class _Log(NamedTuple):
    records: list[dict]
    validations: str  # the unit of their steps


def read_scalars(run: str | os.PathLike) -> list[dict]:
    """Records of a run's log, in order.

    A work directory has a log for every start. Where a later start repeats steps of an
    earlier one, as a run that is resumed or begun anew does, the later one counts.

    Args:
        run (path-like): A work directory, or a ``scalars.json``.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: A line is no record.
    """
    run = Path(run)
    logs = [run] if run.is_file() else sorted(run.glob('*/vis_data/scalars.json'))
    if not logs:
        raise FileNotFoundError(
            f'{run} is no work directory: it has no */vis_data/scalars.json, which '
            "training writes unless another backend takes LocalVisBackend's place."
        )
    records = []
    for log in logs:
        begun = set()
        # What follows the last newline is being written by a run that goes on.
        for number, line in enumerate(log.read_text().split('\n')[:-1], 1):
            try:
                record = json.loads(line)
                step = record['step']
            except (ValueError, TypeError, KeyError):
                raise ValueError(
                    f'{log}, line {number}: expected a JSON object with a "step", '
                    f'found {line[:60]!r}.'
                ) from None
            kind = _trains(record)
            if kind not in begun:
                begun.add(kind)
                records = [r for r in records if _trains(r) != kind or r['step'] < step]
            records.append(record)
    return records


def plot_curves(
    runs: Sequence[str | os.PathLike],
    keys: Sequence[str],
    smooth: float = 1,
    width: float = PAGE,
) -> tuple[Figure, Curves]:
    """Scalars of runs over training, a panel for each scalar.

    Runs whose names differ by the seed alone (``mae_s0``, ``mae_s1``) are one curve,
    their mean, with a sample standard deviation to either side. What was logged is
    faint behind it.

    Args:
        runs (Sequence[path-like]): Work directories, or ``scalars.json`` files.
        keys (Sequence[str]): Keys of the log, for example ``'loss'``.
        smooth (float): Standard deviation of the Gaussian that smoothes, in intervals
            of the log; 0 leaves curves as logged.
        width (float): Of the figure, in inches.

    Returns:
        tuple: The figure, and the curves by key and run.

    Raises:
        ValueError: A run has not logged a key, its seeds share no step, or one run has
            logged it by epoch and another by step.
    """
    curves = _curves(_read(runs), keys, smooth)
    return _draw(curves, {key: dict(ylabel=key) for key in keys}, False, width), curves


def plot_bands(
    runs: Sequence[str | os.PathLike], smooth: float = 1, width: float = PAGE
) -> tuple[Figure, Curves]:
    """Error of every frequency band over training, a panel for each band, low first.

    Arguments, return values and errors are those of :func:`plot_curves`. The error is
    the one that was logged: of a band brought to unit power, unless the loss was told
    otherwise, so that 1 is what the prediction of zeros gets.

    Raises:
        ValueError: No run has logged the errors of bands.
    """
    logs = _read(runs)
    logs_ = (log for seeds in logs.values() for log in seeds)
    logged = {key for log in logs_ for record in log.records for key in record}
    matches = filter(None, map(_BAND.fullmatch, logged))
    keys = [m[0] for m in sorted(matches, key=lambda m: (m[1], int(m[3]), -int(m[2])))]
    if not keys:
        raise ValueError(
            f'No log of {", ".join(logs)} has errors of bands, which a FrequencyHead '
            'writes. What other models make of the bands is shown by the plot of '
            'joints with band edges, from a checkpoint.'
        )
    curves = _curves(logs, keys, smooth)
    labels = {key: dict(title=_band_title(runs, key)) for key in keys}
    labels[keys[0]]['ylabel'] = 'error of the band, as logged'
    return _draw(curves, labels, True, width), curves


def _read(runs: Sequence[str | os.PathLike]) -> dict[str, list[_Log]]:
    """Name of a run without its seed -> the log of every seed."""
    logs: dict[str, dict[str | None, _Log]] = {}
    for run in runs:
        name, seed = _run_name(run)
        seeds = logs.setdefault(name, {})
        if seed in seeds:
            raise ValueError(
                f'{run}: another run is called {name!r} and has the same seed or none. '
                'Name the folders of seeds ..._s0, ..._s1 and those of runs apart.'
            )
        by_epoch = _setting(run, 'default_hooks', 'logger', 'log_metric_by_epoch')
        seeds[seed] = _Log(read_scalars(run), 'step' if by_epoch is False else 'epoch')
    return {name: list(seeds.values()) for name, seeds in logs.items()}


def _run_name(run: str | os.PathLike) -> tuple[str, str | None]:
    """Name and seed: ``x/mae_s0/pretrain`` -> ``mae/pretrain``, ``_s0``.

    Without a seed in the last two folders the name is that of the last.
    """
    path = Path(run).resolve()
    if path.suffix == '.json':  # .../<work dir>/<time>/vis_data/scalars.json
        path = path.parents[2]
    folders = '/'.join(path.parts[-2:])
    seeded = _SEED.search(folders)
    if seeded is None:
        return path.name, None
    start = folders.rfind('/', 0, seeded.start()) + 1
    return folders[start : seeded.start()] + folders[seeded.end() :], seeded[0]


def _trains(record: dict) -> bool:
    """Whether it was logged in training and not by a validation."""
    return 'iter' in record


def _curves(
    logs: Mapping[str, list[_Log]], keys: Sequence[str], smooth: float
) -> Curves:
    if smooth < 0:
        raise ValueError(f'smooth={smooth} must be 0 or more.')
    curves = {
        key: {name: _curve(seeds, key, name, smooth) for name, seeds in logs.items()}
        for key in keys
    }
    for key, found in curves.items():
        if len({curve.unit for curve in found.values()}) > 1:
            units = ', '.join(f'{name} by {c.unit}' for name, c in found.items())
            raise ValueError(
                f'{key!r} was logged {units}, and has no common axis: plot them apart.'
            )
    return curves


def _curve(seeds: list[_Log], key: str, name: str, smooth: float) -> Curve:
    # Times and memory are logged by both: by training at every interval.
    trains = any(_trains(r) for log in seeds for r in log.records if key in r)
    series = [
        {r['step']: r[key] for r in log.records if key in r and _trains(r) == trains}
        for log in seeds
    ]
    for found, log in zip(series, seeds, strict=True):
        if not found:
            logged = {k for r in log.records for k in r}
            known = sorted(logged - {'step', 'iter', 'epoch'})
            raise ValueError(f'{name} has not logged {key!r}. It has {known}.')
    steps = sorted(set.intersection(*map(set, series)))
    if not steps:
        raise ValueError(f'The runs of {name} have logged {key!r} at no common step.')
    raw = np.array([[found[step] for step in steps] for found in series], dtype=float)
    unit = 'step' if trains else seeds[0].validations
    # A validation is a point of its own, no sample of a noisy curve.
    smoothed = raw @ _kernel(np.array(steps), smooth if trains else 0)
    spread = smoothed.std(0, ddof=1) if len(raw) > 1 else np.zeros(len(steps))
    return Curve(np.array(steps), raw, smoothed.mean(0), spread, unit)


def _kernel(steps: np.ndarray, smooth: float) -> np.ndarray:
    """Weights of every point (row) in every smoothed one (column), sum 1."""
    if smooth == 0 or len(steps) < 2:
        return np.eye(len(steps))
    scale = smooth * np.median(np.diff(steps))
    weights = np.exp(-0.5 * np.square((steps[:, None] - steps) / scale))
    return weights / weights.sum(0)


def _band_title(runs: Sequence[str | os.PathLike], key: str) -> str:
    """Band and window of a key; in cycles a frame where the runs' configs agree."""
    head, window, band = _BAND.fullmatch(key).groups()
    band = int(band)
    found = {
        tuple(edges[band : band + 2]) if edges else None
        for edges in (
            _setting(run, 'model', 'heads', head, 'band_edges') for run in runs
        )
    }
    if len(found) > 1 or None in found:
        return f'band {band}, window of {window} frames'
    low, high = map(fraction, found.pop())
    return f'{low} to {high} cycles a frame\nwindow of {window} frames'


def _setting(run: str | os.PathLike, *keys: str) -> object:
    """A setting of the config that a run has left beside its log, None without one."""
    run = Path(run)
    logs = [run] if run.is_file() else run.glob('*/vis_data/scalars.json')
    config = max(logs, default=run).with_name('config.py')
    return config_setting(config.read_text(), *keys) if config.exists() else None


def fraction(edge: float) -> str:
    """A band edge as it is written in configs: 0.0625 -> ``'1/16'``."""
    return str(Fraction(edge).limit_denominator(1000))


@styled
def _draw(
    curves: Curves, labels: Mapping[str, dict], sharey: bool, width: float
) -> Figure:
    columns = min(len(curves), 3)
    rows = -(-len(curves) // columns)
    figure = new_figure(width, 0.3 + rows * min(2.2, 0.8 * width / columns))
    axes = figure.subplots(rows, columns, sharey=sharey, squeeze=False).flat
    for key, ax in zip(curves, axes, strict=False):
        for index, (name, curve) in enumerate(curves[key].items()):
            color = PALETTE[index % len(PALETTE)]
            dashes = ('-', '--', ':', '-.')[index // len(PALETTE) % 4]
            low, high = curve.mean - curve.spread, curve.mean + curve.spread
            ax.plot(curve.steps, curve.raw.T, color=color, alpha=0.3, lw=0.4)
            ax.fill_between(curve.steps, low, high, color=color, alpha=0.2, lw=0)
            ax.plot(curve.steps, curve.mean, dashes, color=color, label=name)
        ax.set(xlabel='optimizer step' if curve.unit == 'step' else 'epoch')
        ax.set(**labels[key])
        ax.grid(axis='y', lw=0.3)
    for ax in axes[len(curves) :]:
        ax.remove()
    names = list(next(iter(curves.values())))
    if len(names) > 1:
        handles, _ = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc='outside upper center', ncols=4)
    return figure
