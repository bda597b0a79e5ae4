from abc import ABCMeta, abstractmethod

import torch
from torch import Tensor, nn


def motion(x: Tensor) -> Tensor:
    """Frame differences, x_{t+1} - x_t, last frame 0: (N, T, V, C) -> same shape."""
    return torch.cat([x[:, 1:] - x[:, :-1], torch.zeros_like(x[:, :1])], dim=1)


class SkeletonTarget(nn.Module, metaclass=ABCMeta):
    """What a head predicts of each cell: a pure encode / decode pair.

    Args:
        window (int): W, frames of a cell.
        in_channels (int): C, coordinates of a joint.
        signal (str): What is described: ``'joint'``, the coordinates themselves, or
            ``'motion'``, their frame differences.

    Attributes:
        channels (int): P, numbers that describe a cell.
    """

    channels: int

    def __init__(self, window: int, in_channels: int, signal: str) -> None:
        super().__init__()
        if signal not in ('joint', 'motion'):
            raise ValueError(f"signal={signal!r} must be 'joint' or 'motion'.")
        self.window = window
        self.in_channels = in_channels
        self.signal_name = signal

    def signal(self, x: Tensor) -> Tensor:
        """The signal that the target describes: (N, T, V, C) -> (N, T, V, C)."""
        return motion(x) if self.signal_name == 'motion' else x

    def joints(self, signal: Tensor, reference: Tensor) -> Tensor:
        """Back from the signal to coordinates.

        Args:
            signal (Tensor): Shape (N, T, V, C).
            reference (Tensor): Clip of the same shape, whose first frame is where
                motion starts from.

        Returns:
            Tensor: Coordinates, shape (N, T, V, C).
        """
        if self.signal_name == 'joint':
            return signal
        return torch.cat([reference[:, :1], signal[:, :-1]], dim=1).cumsum(1)

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """(N, T, V, C) -> (N, T / W, V, P)."""

    @abstractmethod
    def decode(self, y: Tensor, reference: Tensor) -> Tensor:
        """Inverse of :meth:`encode`, to the signal.

        Args:
            y (Tensor): Shape (N, T / W, V, P).
            reference (Tensor): The clip (N, T, V, C) from which a normalised target
                takes the statistics that its code leaves out.

        Returns:
            Tensor: Signal, shape (N, T, V, C).
        """
