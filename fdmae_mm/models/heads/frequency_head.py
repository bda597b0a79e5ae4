import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers import Cells, check_counts


def scale_bands(window: int, band_edges: Sequence[float]) -> list[tuple[int, int]]:
    """Ranges of DCT coefficients of a window that lie in each band.

    Coefficient k sits at k / (2 W) cycles a frame; a band holds its lower edge and
    not its upper one, so every coefficient lies in one band.

    Args:
        window (int): W, frames.
        band_edges (Sequence[float]): Ascending, cycles a frame, from 0 to 0.5.

    Returns:
        list[tuple[int, int]]: First and one past the last coefficient of each band;
        both are equal where a band holds none.
    """
    edges = [math.ceil(2 * window * edge - 1e-6) for edge in band_edges]
    return list(pairwise(edges))


@MODELS.register_module()
class FrequencyHead(BaseModule):
    """Frequency as a direct reconstruction target, scale by scale.

    The published abstract of FDMAE (doi 10.1109/LSP.2024.3525398) names a
    scale-specific frequency feature reconstruction module; bands, windows and
    normalisation are this project's reconstruction of it.

    Args:
        windows (Sequence[int]): Scales, frames of a cell.
        band_edges (Sequence[float]): Edges of the bands in cycles a frame of the
            clip, ascending from 0 to 0.5, the same for every scale.
        in_dims (int): Width of the decoder's features.
        in_channels (int): C, coordinates of a joint.
        assignment (str): ``'scale'``: a scale reconstructs the band that it resolves,
            the longest window the lowest band, the shortest the highest. ``'all'``:
            every scale reconstructs every band.
        signal (str): ``'motion'`` or ``'joint'``.
        band_weights (Sequence[float], optional): Weight of each band, low first;
            1 by default.
        target (dict): Config of the target of a scale, by default a
            :class:`DCTTarget`.
        loss (dict): Config of the loss of a scale, which is given ``band_sizes``.
        loss_weight (float): Weight of the loss in the sum over heads.

    Raises:
        ValueError: If the edges do not ascend from 0 to 0.5, if there are not as many
            windows as bands under ``'scale'``, if a window stands twice, if weights of
            bands are below 0 or all 0, or if a window of ``'scale'`` does not
            meet an edge of its band at a whole coefficient: there the bands of two
            scales would leave a gap or overlap.
    """

    def __init__(
        self,
        windows: Sequence[int],
        band_edges: Sequence[float],
        in_dims: int,
        in_channels: int,
        assignment: str = 'scale',
        signal: str = 'motion',
        band_weights: Sequence[float] | None = None,
        target: dict | None = None,
        loss: dict | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        _check_edges(band_edges)
        num_bands = len(band_edges) - 1
        if assignment not in ('scale', 'all'):
            raise ValueError(f"assignment={assignment!r} must be 'scale' or 'all'.")
        if band_weights is None:
            band_weights = [1.0] * num_bands
        if len(band_weights) != num_bands:
            raise ValueError(
                f'{len(band_weights)} band_weights were given for {num_bands} bands.'
            )
        if not all(0 <= weight < math.inf for weight in band_weights) or not any(
            band_weights
        ):
            raise ValueError(
                f'band_weights={list(band_weights)} must be numbers from 0, not all 0.'
            )
        if len(set(windows)) < len(windows):
            raise ValueError(
                f'windows={list(windows)}: a window stands twice, and a band would '
                'have no scale.'
            )
        self.windows = tuple(sorted(windows, reverse=True))
        for window in self.windows:
            check_counts(window=window)
        self.loss_weight = loss_weight
        if assignment == 'scale':
            _check_scales(self.windows, band_edges)

        self.bands: dict[int, list[int]] = {}
        self.targets = nn.ModuleDict()
        self.criteria = nn.ModuleDict()
        self.project = nn.ModuleDict()
        weights = []
        for scale, window in enumerate(self.windows):
            name, ranges = str(window), scale_bands(window, band_edges)
            wanted = [scale] if assignment == 'scale' else range(num_bands)
            bands = [b for b in wanted if ranges[b][0] < ranges[b][1]]
            self.targets[name] = MODELS.build(
                target or dict(type='mmaction.DCTTarget'),
                default_args=dict(
                    window=window,
                    in_channels=in_channels,
                    signal=signal,
                    start=ranges[bands[0]][0],
                    stop=ranges[bands[-1]][1],
                ),
            )
            sizes = [(ranges[b][1] - ranges[b][0]) * in_channels for b in bands]
            self.bands[window] = bands
            self.criteria[name] = MODELS.build(
                loss or dict(type='mmaction.FrequencyDecoupledLoss'),
                default_args=dict(band_sizes=sizes),
            )
            self.project[name] = nn.Linear(in_dims, self.targets[name].channels)
            weights += [band_weights[b] for b in bands]
        self.register_buffer('band_weights', torch.tensor(weights), persistent=False)

    def loss(
        self, x: Tensor, cells: dict[int, Cells]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean over scales and bands of the bands' errors.

        Args:
            x (Tensor): Clips, shape (N, T, V, C).
            cells (dict[int, Cells]): Window -> what was decoded of it.

        Returns:
            tuple: The loss, times its weight, and every band's error under the name
            ``w{window}_band{band}``.
        """
        errors, logs = [], {}
        for window in self.windows:
            name = str(window)
            features, weight, places = cells[window]
            pred = self.project[name](features)
            target = self.targets[name].encode(x)[:, places]
            errors.append(self.criteria[name](pred, target, weight))
            for band, error in zip(self.bands[window], errors[-1], strict=True):
                logs[f'w{window}_band{band}'] = error.detach()
        loss = (torch.cat(errors) * self.band_weights).mean()
        return self.loss_weight * loss, logs


def _check_edges(band_edges: Sequence[float]) -> None:
    ascending = all(low < high for low, high in pairwise(band_edges))
    if (
        len(band_edges) < 2
        or band_edges[0] != 0
        or band_edges[-1] != 0.5
        or not ascending
    ):
        raise ValueError(
            f'band_edges={tuple(band_edges)} must ascend from 0 to 0.5 cycles a frame, '
            f'or the bands leave a gap.'
        )


def _check_scales(windows: Sequence[int], band_edges: Sequence[float]) -> None:
    if len(windows) != len(band_edges) - 1:
        raise ValueError(
            f"assignment='scale' gives each window one band: {len(windows)} windows "
            f'{tuple(windows)} meet {len(band_edges) - 1} bands of '
            f'band_edges={tuple(band_edges)}.'
        )
    for window, edges in zip(windows, pairwise(band_edges), strict=True):
        for edge in edges:
            if abs(2 * window * edge - round(2 * window * edge)) > 1e-6:
                raise ValueError(
                    f'band edge {edge:.6g} is coefficient {2 * window * edge:.4g} of '
                    f'the window of {window} frames, not a whole one: bands would '
                    f'leave a gap or overlap. Edges of this window are multiples of '
                    f'{1 / (2 * window):.6g}.'
                )
