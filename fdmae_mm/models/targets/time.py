import torch
from mmaction.registry import MODELS
from torch import Tensor

from ..layers import patchify, unpatchify
from .base import SkeletonTarget


class TimeTarget(SkeletonTarget):
    """The frames of the signal inside a cell.

    Args:
        window (int): W, frames of a cell.
        in_channels (int): C, coordinates of a joint.
        signal (str): ``'joint'`` or ``'motion'``.
        normalize (bool): Subtract each cell's mean and divide by its standard
            deviation (unbiased variance over the W * C values, plus 1e-6), as MAE
            normalises pixels and MAMP motion.

    Raises:
        ValueError: A cell of one number is to be normalised.
    """

    eps = 1e-6

    def __init__(
        self, window: int, in_channels: int, signal: str, normalize: bool
    ) -> None:
        super().__init__(window, in_channels, signal)
        if normalize and window * in_channels == 1:
            raise ValueError(
                f'normalize=True: a cell of window={window} frame and in_channels='
                f'{in_channels} is one number, which has no variance.'
            )
        self.normalize = normalize
        self.channels = window * in_channels

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """(N, T, V, C) -> (N, T / W, V, W * C), time before coordinate."""
        cells = patchify(self.signal(x), self.window)
        if self.normalize:
            mean, std = self._statistics(cells)
            cells = (cells - mean) / std
        return cells

    @torch.no_grad()
    def decode(self, y: Tensor, reference: Tensor) -> Tensor:
        """(N, T / W, V, W * C) -> (N, T, V, C)."""
        if self.normalize:
            mean, std = self._statistics(patchify(self.signal(reference), self.window))
            y = y * std + mean
        return unpatchify(y, self.window)

    def _statistics(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        variance, mean = torch.var_mean(cells, dim=-1, keepdim=True)
        return mean, (variance + self.eps).sqrt()


@MODELS.register_module()
class JointTarget(TimeTarget):
    """Coordinates of a cell, the target of MAE.

    Args:
        window (int): W, frames of a cell.
        in_channels (int): C, coordinates of a joint.
        normalize (bool): See :class:`TimeTarget`.
    """

    def __init__(
        self, window: int, in_channels: int = 3, normalize: bool = False
    ) -> None:
        super().__init__(window, in_channels, 'joint', normalize)


@MODELS.register_module()
class MotionTarget(TimeTarget):
    """Frame differences of a cell, the target of MAMP (stride 1, last frame 0).

    Args:
        window (int): W, frames of a cell.
        in_channels (int): C, coordinates of a joint.
        normalize (bool): See :class:`TimeTarget`.
    """

    def __init__(
        self, window: int, in_channels: int = 3, normalize: bool = True
    ) -> None:
        super().__init__(window, in_channels, 'motion', normalize)
