from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


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
        self, x: Tensor, cells: dict[int, Tensor], weights: dict[int, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compare the cells with the clip they were decoded for.

        Args:
            x (Tensor): Clips, shape (N, T, V, C).
            cells (dict[int, Tensor]): Window -> features (N, T / W, V, D).
            weights (dict[int, Tensor]): Window -> masked share (N, T / W, V).

        Returns:
            tuple: The loss, times its weight, and what is only logged, by name.
        """
        (window,) = self.windows
        pred = self.project(cells[window])
        error = self.criterion(pred, self.target.encode(x), weights[window])
        return self.loss_weight * error, {}

    def predict(self, x: Tensor, cells: dict[int, Tensor]) -> Tensor:
        """The signal of the target as predicted, shape (N, T, V, C)."""
        pred = self.project(cells[self.windows[0]])
        return self.target.decode(pred.float(), x)
