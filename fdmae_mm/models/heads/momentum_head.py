import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..losses.masked_reconstruction import weighted_mean


@MODELS.register_module()
class MomentumHead(BaseModule):
    """Predicts the momentum path's features of a cell from those of the online path.

    Args:
        in_dims (int): Width of the decoder's features.
        hidden_dims (int, optional): Width of the MLP; twice ``in_dims`` by default.
        loss_weight (float): Weight of the loss in the sum over heads.
    """

    def __init__(
        self, in_dims: int, hidden_dims: int | None = None, loss_weight: float = 1.0
    ) -> None:
        super().__init__()
        hidden_dims = hidden_dims or 2 * in_dims
        self.loss_weight = loss_weight
        self.predictor = nn.Sequential(
            nn.Linear(in_dims, hidden_dims), nn.GELU(), nn.Linear(hidden_dims, in_dims)
        )

    def loss(
        self,
        cells: dict[int, Tensor],
        teacher_cells: dict[int, Tensor],
        weights: dict[int, Tensor],
    ) -> Tensor:
        """Smooth-L1 to the layer-normalised momentum features, mean over windows.

        Args:
            cells (dict[int, Tensor]): Window -> online features (N, T / W, V, D).
            teacher_cells (dict[int, Tensor]): The same of the momentum path.
            weights (dict[int, Tensor]): Window -> masked share (N, T / W, V).

        Returns:
            Tensor: Scalar, times its weight.
        """
        total = 0.0
        for window, online in cells.items():
            target = teacher_cells[window].float()
            target = F.layer_norm(target, target.shape[-1:])
            pred = self.predictor(online).float()
            error = F.smooth_l1_loss(pred, target, reduction='none').mean(-1)
            total = total + weighted_mean(error, weights[window])
        return self.loss_weight * total / len(cells)
