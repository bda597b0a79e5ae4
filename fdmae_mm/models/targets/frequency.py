import torch
from mmaction.registry import MODELS
from scipy.fft import dct
from torch import Tensor

from ..layers import patchify, unpatchify
from .base import SkeletonTarget


@MODELS.register_module()
class DCTTarget(SkeletonTarget):
    """Orthonormal DCT-II of a cell along time, or a range of its coefficients.

    Coefficient k of a window of W frames sits at k / (2 W) cycles a frame.

    Args:
        window (int): W, frames of a cell.
        in_channels (int): C, coordinates of a joint.
        signal (str): ``'joint'`` or ``'motion'``.
        start (int): First coefficient.
        stop (int, optional): One past the last coefficient; W where it is not given.

    Raises:
        ValueError: If the range of coefficients is empty or leaves 0..W.
    """

    def __init__(
        self,
        window: int,
        in_channels: int = 3,
        signal: str = 'motion',
        start: int = 0,
        stop: int | None = None,
    ) -> None:
        super().__init__(window, in_channels, signal)
        stop = window if stop is None else stop
        if not 0 <= start < stop <= window:
            raise ValueError(
                f'Coefficients {start}..{stop} must be a range within 0..{window}.'
            )
        self.channels = (stop - start) * in_channels
        basis = torch.from_numpy(
            dct(torch.eye(window, dtype=torch.float64).numpy(), norm='ortho', axis=0)
        )
        # Row k is the basis function of coefficient k.
        self.register_buffer('basis', basis[start:stop].float(), persistent=False)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """(N, T, V, C) -> (N, T / W, V, P) coefficients, low first, then coordinate."""
        cells = patchify(self.signal(x), self.window).unflatten(-1, (self.window, -1))
        # Autocast would round the target to 8 bits of mantissa.
        with torch.autocast(x.device.type, enabled=False):
            return (self.basis.to(x.dtype) @ cells).flatten(3)

    @torch.no_grad()
    def decode(self, y: Tensor, reference: Tensor) -> Tensor:
        """(N, T / W, V, P) -> (N, T, V, C); other coefficients count as zero."""
        coefficients = y.unflatten(-1, (-1, self.in_channels))
        with torch.autocast(y.device.type, enabled=False):
            cells = self.basis.to(y.dtype).T @ coefficients
        return unpatchify(cells.flatten(3), self.window)
