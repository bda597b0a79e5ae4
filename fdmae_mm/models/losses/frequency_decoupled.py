from collections.abc import Callable, Sequence

import torch
from mmaction.registry import MODELS
from mmengine.dist import all_reduce
from torch import Tensor, nn

from .masked_reconstruction import check_shapes, elementwise_error, weighted_mean


@MODELS.register_module()
class FrequencyDecoupledLoss(nn.Module):
    """One normalised error for each frequency band, so that none owns the loss.

    An orthonormal transform alone changes nothing: by Parseval the squared error
    over all coefficients is that over all frames, and the low band, with most of the
    energy, would decide. Each band of the target is therefore brought to unit power.

    Args:
        band_sizes (Sequence[int]): Values of each band, in the order in which they
            stand in the last dimension of ``pred`` and ``target``.
        normalize (str): ``'cell'``: a band of a cell is divided by its own root mean
            square in that cell, at least that of ``floor`` times the band's running
            power, so that a still joint is not blown up to noise. ``'band'``: divided
            by the root of the band's running power alone, so that fast joints count
            more; before the first step that of the clips at hand. ``'none'``: as it
            is.
        error (str): ``'l2'``, ``'l1'`` or ``'smooth_l1'``.
        floor (float): See ``normalize``.
        momentum (float): Weight of a batch in the running power, once 1 / momentum
            batches have been seen; before that it is their plain average.

    Attributes:
        power (Tensor): Running mean square of each band of the target over the
            weighted cells of all ranks, shape (bands,).
        num_batches (Tensor): Batches seen, a scalar.
    """

    eps = 1e-12

    def __init__(
        self,
        band_sizes: Sequence[int],
        normalize: str = 'cell',
        error: str = 'l2',
        floor: float = 0.01,
        momentum: float = 0.01,
    ) -> None:
        super().__init__()
        if normalize not in ('cell', 'band', 'none'):
            raise ValueError(
                f"normalize={normalize!r} must be 'cell', 'band' or 'none'."
            )
        self.band_sizes = tuple(band_sizes)
        self.normalize = normalize
        self.error = elementwise_error(error)
        self.floor = floor
        self.momentum = momentum
        self.register_buffer('power', torch.zeros(len(self.band_sizes)))
        self.register_buffer('num_batches', torch.zeros(()))

    def _apply(
        self, fn: Callable[[Tensor], Tensor], recurse: bool = True
    ) -> 'FrequencyDecoupledLoss':
        # Statistics stay float32 in a model of another type: half precision would stop
        # counting at 256, and moving at steps of a hundredth.
        super()._apply(fn, recurse)
        self.power, self.num_batches = self.power.float(), self.num_batches.float()
        return self

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Compute the error of each band; their mean is the loss to minimise.

        Args:
            pred (Tensor): Predicted, normalised coefficients, shape (..., P).
            target (Tensor): Coefficients as they are, same shape; another is a
                ValueError.
            weight (Tensor): In 0..1, shape (...), the masked share of each cell.

        Returns:
            Tensor: Weighted mean over cells of each band's error, shape (bands,).
        """
        check_shapes(pred, target)
        target = target.float()
        preds = pred.float().split(self.band_sizes, dim=-1)
        targets = target.split(self.band_sizes, dim=-1)
        powers = torch.stack([t.square().mean(-1) for t in targets], dim=-1)
        if self.training:
            self._update_power(powers, weight)
        scales = self._scales(powers)  # (..., bands)
        errors = [
            weighted_mean(self.error(p, t / s, reduction='none').mean(-1), weight)
            for p, t, s in zip(preds, targets, scales.split(1, dim=-1), strict=True)
        ]
        return torch.stack(errors)

    def _scales(self, powers: Tensor) -> Tensor:
        if self.normalize == 'none':
            return torch.ones_like(powers)
        if self.normalize == 'band':
            here = powers.flatten(0, -2).mean(0)
            powers = here.where(self.num_batches == 0, self.power).expand_as(powers)
        else:
            powers = torch.maximum(powers, self.floor * self.power)
        return (powers + self.eps).sqrt()

    @torch.no_grad()
    def _update_power(self, powers: Tensor, weight: Tensor) -> None:
        """Fold a batch into the running power, without a look from the host."""
        weight = weight.unsqueeze(-1)
        totals = torch.cat(
            [(powers * weight).flatten(0, -2).sum(0), weight.sum()[None]]
        )
        all_reduce(totals)
        seen = (totals[-1] > 0).float()
        batch_power = totals[:-1] / totals[-1].clamp_min(torch.finfo(totals.dtype).tiny)
        self.num_batches += seen
        rate = self.num_batches.clamp_min(1).reciprocal().clamp_min(self.momentum)
        self.power.lerp_(batch_power, rate * seen)
