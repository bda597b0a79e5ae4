import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers import Cells


@MODELS.register_module()
class WindowHead(BaseModule):
    """Projection, target and loss at one window.

    Args:
        window (int): W, frames of a cell.
        target (dict): Config of a :class:`SkeletonTarget`.
        loss (dict): Config of a loss on (pred, target, weight).
        in_dims (int): Width of the decoder's features.
        in_channels (int): C, coordinates of a joint.
        loss_weight (float): Weight of the loss in the sum over heads.
    """

    def __init__(
        self,
        window: int,
        target: dict,
        loss: dict,
        in_dims: int,
        in_channels: int,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.windows = (window,)
        self.loss_weight = loss_weight
        self.target = MODELS.build(
            target, default_args=dict(window=window, in_channels=in_channels)
        )
        self.criterion = MODELS.build(loss)
        self.project = nn.Linear(in_dims, self.target.channels)

    def loss(
        self, x: Tensor, cells: dict[int, Cells]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compare the cells with the clip they were decoded for.

        Args:
            x (Tensor): Clips, shape (N, T, V, C).
            cells (dict[int, Cells]): Window -> what was decoded of it.

        Returns:
            tuple: The loss, times its weight, and what is only logged, by name.
        """
        features, weight, places = cells[self.windows[0]]
        pred = self.project(features)
        # Mixed precision would round a target that multiplies matrices.
        with torch.autocast(x.device.type, enabled=False):
            target = self.target.encode(x)[:, places]
        error = self.criterion(pred, target, weight)
        return self.loss_weight * error, {}

    def predict(self, x: Tensor, features: dict[int, Tensor]) -> Tensor:
        """The signal of the target as predicted, shape (N, T, V, C).

        Args:
            x (Tensor): Clips, shape (N, T, V, C).
            features (dict[int, Tensor]): Window -> features of all its cells,
                (N, T / W, V, D).
        """
        pred = self.project(features[self.windows[0]])
        return self.target.decode(pred.float(), x)
