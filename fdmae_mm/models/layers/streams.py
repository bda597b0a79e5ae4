"""Joints, bones and motion as one input: the streams of a skeleton, fused early."""

from collections.abc import Sequence

import torch
from torch import Tensor


def motion(x: Tensor) -> Tensor:
    """Frame differences, x_{t+1} - x_t, last frame 0: (N, T, V, C) -> same shape."""
    return torch.cat([x[:, 1:] - x[:, :-1], torch.zeros_like(x[:, :1])], dim=1)


def skeleton_streams(
    x: Tensor, streams: Sequence[str], parents: Tensor | None = None
) -> Tensor:
    """Streams of a clip side by side.

    What :class:`SkeletonStream` makes of a clip, for an encoder that is given several
    at once. A bone or a motion is zero where an end of it was not measured, that is,
    all its coordinates are exact zeros. A score among the C is taken for a coordinate.

    Args:
        x (Tensor): Coordinates of the joints, shape (N, T, V, C).
        streams (Sequence[str]): Names in
            :data:`fdmae_mm.datasets.layouts.STREAMS`.
        parents (Tensor, optional): For bones, the parent of each joint, long, shape
            (V,), as :func:`fdmae_mm.datasets.layouts.bone_parents` gives them.

    Returns:
        Tensor: Shape (N, T, V, S * C), stream after stream.
    """
    if tuple(streams) == ('joint',):
        return x
    seen = (x != 0).any(-1, keepdim=True)  # (N, T, V, 1)
    parts = []
    for stream in streams:
        part, measured = x, seen
        if stream.startswith('bone'):
            part = part - part[:, :, parents]
            measured = measured & measured[:, :, parents]
        if stream.endswith('motion'):
            part = motion(part)
            # Where the last frame has no motion, it is zero already.
            measured = measured & measured.roll(-1, dims=1)
        parts.append(part.where(measured, 0))
    return torch.cat(parts, dim=-1)
