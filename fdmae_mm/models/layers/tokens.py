"""Between coordinates, tokens and cells: the only patchify of the project."""

from typing import NamedTuple

from torch import Tensor


class Cells(NamedTuple):
    """What was decoded of one window: S of its T / W places along time.

    Attributes:
        features (Tensor): Shape (N, S, V, D).
        weight (Tensor): Masked share of each cell, in 0..1, shape (N, S, V).
        places (Tensor | slice): Which places along time these are: long, shape (S,), or
            the slice of all. It indexes dimension 1 of a target (N, T / W, V, P).
    """

    features: Tensor
    weight: Tensor
    places: Tensor | slice


def patchify(x: Tensor, window: int) -> Tensor:
    """Cut a clip into cells of ``window`` frames of one joint.

    Args:
        x (Tensor): Clip or signal, shape (N, T, V, C).
        window (int): Frames a cell; it must divide T.

    Returns:
        Tensor: Shape (N, T / window, V, window * C), time before coordinate.
    """
    n, t, v, c = x.shape
    if t % window:
        raise ValueError(f'window={window} must divide the {t} frames of the clip.')
    x = x.reshape(n, t // window, window, v, c)  # (N, T/W, W, V, C)
    return x.transpose(2, 3).flatten(3)


def unpatchify(cells: Tensor, window: int) -> Tensor:
    """Inverse of :func:`patchify`: (N, T / W, V, W * C) -> (N, T, V, C)."""
    cells = cells.unflatten(-1, (window, -1))  # (N, T/W, V, W, C)
    return cells.transpose(2, 3).flatten(1, 2)


def visible_index(mask: Tensor) -> Tensor:
    """Positions of the visible tokens of each row.

    Args:
        mask (Tensor): Bool, shape (N, L). True marks a masked token; every row
            masks the same number.

    Returns:
        Tensor: Long, shape (N, L_visible), ascending in each row.
    """
    return (~mask).nonzero()[:, 1].view(mask.shape[0], -1)


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Pick tokens by position: (N, L, D), (N, K) -> (N, K, D)."""
    return tokens.gather(1, index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def cell_weight(mask: Tensor, num_joints: int, tokens_per_cell: int) -> Tensor:
    """Share of each cell's tokens that is masked.

    Args:
        mask (Tensor): Bool, shape (N, T' * V), time-major.
        num_joints (int): V.
        tokens_per_cell (int): Window of the cell over window of the token.

    Returns:
        Tensor: Float in 0..1, shape (N, T' / tokens_per_cell, V).
    """
    mask = mask.unflatten(1, (-1, tokens_per_cell, num_joints))
    return mask.float().mean(2)


def frame_mask(mask: Tensor, num_joints: int, window: int) -> Tensor:
    """Which joints are masked in each frame.

    Args:
        mask (Tensor): Bool, shape (..., T' * V), time-major.
        num_joints (int): V.
        window (int): Frames of a token.

    Returns:
        Tensor: Bool, shape (..., T, V).
    """
    return mask.unflatten(-1, (-1, num_joints)).repeat_interleave(window, dim=-2)


def present_sequences(x: Tensor) -> Tensor:
    """Which sequences hold a body: (N, T, V, C) -> bool (N,).

    A person who is absent from a clip is written as zeros throughout.
    """
    return (x != 0).flatten(1).any(1)
