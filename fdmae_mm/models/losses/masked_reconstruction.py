from collections.abc import Callable

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

ERRORS: dict[str, Callable[..., Tensor]] = {
    'l1': F.l1_loss,
    'l2': F.mse_loss,
    'smooth_l1': F.smooth_l1_loss,
}


def elementwise_error(name: str) -> Callable[..., Tensor]:
    """The error function of a name, or a ValueError that lists the names."""
    if name not in ERRORS:
        raise ValueError(f'error={name!r} must be one of {sorted(ERRORS)}.')
    return ERRORS[name]


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of ``values`` by ``weight``; 0, with a gradient, where all weights are 0."""
    return (values * weight).sum() / weight.sum().clamp_min(
        torch.finfo(weight.dtype).tiny
    )


def check_shapes(pred: Tensor, target: Tensor) -> None:
    """Refuse a target that would be broadcast to what is predicted, or the reverse."""
    if pred.shape != target.shape:
        raise ValueError(
            f'The target has shape {tuple(target.shape)}, the prediction '
            f'{tuple(pred.shape)}: encode() of a target must give (N, T / window, V, '
            'channels).'
        )


@MODELS.register_module()
class MaskedReconstructionLoss(nn.Module):
    """Mean error over cells, each weighted by how much of it is masked.

    For cells of one token this is the loss of MAE: the mean over masked tokens.

    Args:
        error (str): ``'l2'``, ``'l1'`` or ``'smooth_l1'``.
    """

    def __init__(self, error: str = 'l2') -> None:
        super().__init__()
        self.error = elementwise_error(error)

    def forward(self, pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            pred (Tensor): Shape (..., P), one row a cell.
            target (Tensor): Same shape; another is a ValueError.
            weight (Tensor): In 0..1, shape (...), the masked share of each cell.

        Returns:
            Tensor: Scalar.
        """
        check_shapes(pred, target)
        error = self.error(pred.float(), target.float(), reduction='none').mean(-1)
        return weighted_mean(error, weight)
