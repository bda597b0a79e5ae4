from collections.abc import Sequence

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers import Cells
from ..losses.masked_reconstruction import weighted_mean


@MODELS.register_module()
class MomentumHead(BaseModule):
    """Predicts the momentum path's features of a cell from those of the online path.

    Args:
        in_dims (int): Width of the decoder's features.
        windows (Sequence[int]): Windows whose cells are predicted; the teacher decodes
            no others.
        hidden_dims (int, optional): Width of the MLP; twice ``in_dims`` by default.
        loss_weight (float): Weight of the loss in the sum over heads.

    Raises:
        ValueError: If there is no window.
    """

    def __init__(
        self,
        in_dims: int,
        windows: Sequence[int],
        hidden_dims: int | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.windows = tuple(windows)
        if not self.windows:
            raise ValueError(
                'windows=[] of the momentum head: name one, or take SkeletonMAE, which '
                'has no momentum path.'
            )
        hidden_dims = hidden_dims or 2 * in_dims
        self.loss_weight = loss_weight
        self.predictor = nn.Sequential(
            nn.Linear(in_dims, hidden_dims), nn.GELU(), nn.Linear(hidden_dims, in_dims)
        )

    def loss(self, cells: dict[int, Cells], teacher: dict[int, Tensor]) -> Tensor:
        """Smooth-L1 to the layer-normalised momentum features, mean over windows.

        Args:
            cells (dict[int, Cells]): Window -> what the online path decoded of it.
            teacher (dict[int, Tensor]): Window -> the momentum path's features of the
                same cells, (N, S, V, D), for the windows to predict.

        Returns:
            Tensor: Scalar, times its weight.
        """
        total = 0.0
        for window, target in teacher.items():
            features, weight, _ = cells[window]
            target = F.layer_norm(target.float(), target.shape[-1:])
            pred = self.predictor(features).float()
            error = F.smooth_l1_loss(pred, target, reduction='none').mean(-1)
            total = total + weighted_mean(error, weight)
        return self.loss_weight * total / len(teacher)
