"""Where a query looks: attention to joints and time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor

from ..datasets.layouts import SkeletonLayout
from ..models.decoders import CrossAttentionDecoder
from ..models.layers import present_sequences, visible_index
from ..models.layers.transformer import Attention
from .style import (
    PAGE,
    PREDICTED,
    SEQUENTIAL,
    draw_body,
    joints_by_part,
    new_figure,
    styled,
)


class AttentionMap(NamedTuple):
    """Attention of a query cell, mean over clips, persons and heads.

    Attributes:
        ratio (np.ndarray): Weight of each token over that of uniform attention, among
            the clips in which the token was visible, shape (T', V). 1 is what a query
            gives that does not care; NaN a token that never was visible.
        source (str): ``'decoder'`` or ``'encoder'``, whose last block it is.
        joint (int): Joint of the query.
        frames (tuple[int, int]): First frame of the query's cell and one past its last.
    """

    ratio: np.ndarray
    source: str
    joint: int
    frames: tuple[int, int]

    @property
    def by_joint(self) -> np.ndarray:
        """Mean of the ratio over time, of the tokens that were visible, shape (V,)."""
        return np.ma.masked_invalid(self.ratio).mean(0).filled(np.nan)


def attention_weights(
    attention: Attention, x: Tensor, context: Tensor | None = None
) -> Tensor:
    """The weights that fused attention does not hand out.

    Args:
        attention (Attention): The module.
        x (Tensor): Queries, shape (N, L, D).
        context (Tensor, optional): Keys, shape (N, S, D); by default the queries.

    Returns:
        Tensor: Shape (N, heads, L, S); rows sum to 1.
    """
    q, k, _ = attention.project(x, context)
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)


@contextmanager
def recorded_attention(attention: Attention, query: int) -> Iterator[list[Tensor]]:
    """Collects the weights of one query, mean over heads, (N, S) a forward pass."""
    rows = []

    def record(module: Attention, args: tuple[Tensor, Tensor | None]) -> None:
        x, context = args
        context = x if context is None else context
        weights = attention_weights(module, x[:, query : query + 1], context)
        rows.append(weights.mean(1).squeeze(1))

    handle = attention.register_forward_pre_hook(record)
    try:
        yield rows
    finally:
        handle.remove()


@torch.no_grad()
def attention_map(
    model: BaseRecognizer,
    batches: Iterable[dict],
    joint: int,
    frame: int,
    window: int | None = None,
) -> AttentionMap:
    """Attention from a query cell to the tokens of joints and time, over a data set.

    Of a model with a cross-attention decoder it is the last block of the decoder, from
    the query of a cell to the visible tokens; of any other the last block of the
    encoder, from a token to all tokens of unmasked clips.

    Args:
        model (BaseRecognizer): A pre-training model or a classifier.
        batches (Iterable[dict]): A data loader, with masks where the model has a
            cross-attention decoder.
        joint (int): Joint of the query.
        frame (int): A frame of the query's cell.
        window (int, optional): Frames of the cell, one of the decoder's windows; its
            shortest by default.

    Raises:
        ValueError: The model has no such joint, frame or window.
    """
    model.eval()
    backbone, decoder = model.backbone, getattr(model, 'decoder', None)
    cross = isinstance(decoder, CrossAttentionDecoder)
    windows = decoder.windows if cross else (backbone.t_patch_size,)
    window = min(windows) if window is None else window
    for name, value, known in (
        ('joint', joint, range(backbone.num_joints)),
        ('frame', frame, range(backbone.clip_len)),
        ('window', window, windows),
    ):
        if value not in known:
            raise ValueError(f'{name}={value}: the model has {known}.')
    num_joints, clip_len = backbone.num_joints, backbone.clip_len
    # The decoder's queries stand window after window, in a window time-major.
    before = windows[: windows.index(window)]
    query = sum(clip_len // w for w in before) + frame // window
    query = query * num_joints + joint
    num_tokens = clip_len // backbone.t_patch_size * num_joints
    total = torch.zeros(num_tokens, dtype=torch.float64)
    count = torch.zeros_like(total)
    block = (decoder if cross else backbone).blocks[-1]
    for batch in batches:
        batch = model.data_preprocessor(batch, training=False)
        inputs, samples = batch['inputs'], batch['data_samples']
        with recorded_attention(block.attn, query) as rows:
            if cross:
                x, masks, _ = model.sequences(inputs, samples)
                mask = masks['mask']
                decoder(backbone.forward_tokens(x, mask), mask)
                index = visible_index(mask)
            else:
                x = inputs.flatten(0, 2)
                backbone.forward_tokens(x)
                index = torch.arange(num_tokens, device=x.device).expand(len(x), -1)
        present = present_sequences(x)
        (weights,) = rows
        weights = weights[present].double().cpu() * weights.shape[1]
        index = index[present].cpu()
        total.index_add_(0, index.flatten(), weights.flatten())
        count += index.flatten().bincount(minlength=num_tokens)
    ratio = (total / count).view(-1, num_joints).numpy()
    first = frame // window * window
    source = 'decoder' if cross else 'encoder'
    return AttentionMap(ratio, source, joint, (first, first + window))


@styled
def plot_attention(
    attention: AttentionMap,
    pose: np.ndarray,
    layout: SkeletonLayout,
    clip_len: int,
    width: float = PAGE,
) -> Figure:
    """Attention to joints and time, and its mean over time on the body.

    Args:
        attention (AttentionMap): What to draw, see :func:`attention_map`.
        pose (np.ndarray): Shape (V, 2), see :func:`average_pose`.
        layout (SkeletonLayout): Of the V joints.
        clip_len (int): Frames T of a clip.
        width (float): Of the figure, in inches.
    """
    ratio, joint = attention.ratio, attention.joint
    order = joints_by_part(layout)
    first, last = attention.frames
    norm = Normalize(0, np.nanmax(ratio))
    figure = new_figure(width, max(0.42 * width, 0.11 * len(order) + 0.7))
    grid, body = figure.subplots(1, 2, width_ratios=(3, 1))
    image = grid.imshow(
        ratio.T[order],
        aspect='auto',
        cmap=SEQUENTIAL,
        norm=norm,
        extent=(0, clip_len, len(order) - 0.5, -0.5),
        interpolation='nearest',
    )
    row = order.index(joint)
    cell = Rectangle((first, row - 0.5), last - first, 1)
    cell.set(fill=False, edgecolor=PREDICTED, lw=1.5, clip_on=False)
    grid.add_patch(cell)
    names = [layout.joints[j].replace('_', ' ') for j in order]
    grid.set_yticks(range(len(order)), names, fontsize=6)
    grid.set(xlabel='frame of the clip')
    grid.tick_params(axis='y', length=0)
    figure.colorbar(image, ax=grid, label='attention, 1 = uniform', aspect=30)
    mean = attention.by_joint
    drawn = draw_body(body, pose, layout, mean, Normalize(0, np.nanmax(mean)))
    body.plot(*pose[joint], 'o', ms=11, mfc='none', mec=PREDICTED, mew=1.5)
    figure.colorbar(drawn, ax=body, label='its mean over time', aspect=30)
    name = layout.joints[joint].replace('_', ' ')
    figure.suptitle(
        f'{attention.source}, query: {name}, frames {first} to {last - 1}', fontsize=8
    )
    return figure
