import numpy as np
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
        basis = torch.from_numpy(self.functions(window, start, stop)).float()
        self.register_buffer('basis', basis, persistent=False)

    @staticmethod
    def functions(window: int, start: int, stop: int) -> np.ndarray:
        """Orthonormal functions of a window, low to high: (stop - start, W)."""
        return dct(np.eye(window), norm='ortho', axis=0)[start:stop]

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


@MODELS.register_module()
class HaarTarget(DCTTarget):
    """Haar wavelets of a cell along time in place of cosines.

    Coefficient 0 is the mean; coefficients 2^j to 2^(j+1) - 1 are the wavelets of one
    level, of W / 2^j frames each, in the order of time. They share an octave with the
    DCT's coefficients of the same numbers, so bands mean the same; the wavelets of a
    cell say when something happens, and the cosines with which phase.

    Args:
        window, in_channels, signal, start, stop: See :class:`DCTTarget`.

    Raises:
        ValueError: If W is no power of two, or a level is cut in two.
    """

    @staticmethod
    def functions(window: int, start: int, stop: int) -> np.ndarray:
        """See :meth:`DCTTarget.functions`."""
        for name, value in (('window', window), ('start', start), ('stop', stop)):
            if value & (value - 1):
                raise ValueError(
                    f'{name}={value} of Haar wavelets must be a power of two, where a '
                    'level begins: choose windows and band_edges that are.'
                )
        functions = np.ones((1, 1))
        while len(functions) < window:
            finest = np.kron(np.eye(len(functions)), [1, -1])
            functions = np.concatenate([np.kron(functions, [1, 1]), finest]) / 2**0.5
        return functions[start:stop]
