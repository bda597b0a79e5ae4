from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers import TransformerBlock, check_counts, init_linear, position_table


class BaseSkeletonDecoder(BaseModule):
    """From visible tokens to one feature for each cell of each asked window.

    A decoder knows no target: heads project its features.

    Args:
        in_dims (int): Width of the encoder's tokens.
        embed_dims (int): Width D of the decoder.
        depth (int): Number of blocks.
        num_heads (int): Attention heads of a block.
        num_joints (int): V.
        clip_len (int): T, frames of a clip.
        t_patch_size (int): p, frames of a token.
        windows (Sequence[int]): Frames of the cells that heads ask for, each a
            multiple of p that divides T.
        mlp_ratio (float): Hidden width of the MLPs over D.
        init_cfg (dict, optional): A ``Pretrained`` initialisation.

    Raises:
        ValueError: If a window is not a multiple of p, or does not divide T, or a count
            is no whole number above 0.
    """

    def __init__(
        self,
        *,
        in_dims: int,
        embed_dims: int,
        depth: int,
        num_heads: int,
        num_joints: int,
        clip_len: int,
        t_patch_size: int,
        windows: Sequence[int],
        mlp_ratio: float = 4.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_counts(embed_dims=embed_dims, num_heads=num_heads)
        windows = tuple(windows)
        for window in windows:
            check_counts(window=window)
            if window % t_patch_size or clip_len % window:
                raise ValueError(
                    f'A window of {window} frames must be a multiple of '
                    f't_patch_size={t_patch_size} and divide clip_len={clip_len}.'
                )
        self.embed_dims = embed_dims
        self.num_joints = num_joints
        self.windows = windows
        self.embed = nn.Linear(in_dims, embed_dims)
        self.blocks = nn.ModuleList(
            TransformerBlock(embed_dims, num_heads, mlp_ratio) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.joint_table = position_table(1, 1, num_joints, embed_dims)
        self.apply(init_linear)
        self.temporal_tables = nn.ParameterDict(
            {str(w): position_table(1, clip_len // w, 1, embed_dims) for w in windows}
        )

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor,
        places: dict[int, Tensor | slice] | None = None,
    ) -> dict[int, Tensor]:
        """Decode cells.

        Args:
            tokens (Tensor): Visible tokens, shape (N, L_visible, in_dims).
            mask (Tensor): Bool, shape (N, L). True marks a masked token.
            places (dict[int, Tensor | slice], optional): Window -> which S of its T / W
                places along time are wanted, see :class:`Cells`. All of every window
                by default.

        Returns:
            dict[int, Tensor]: Window -> features, shape (N, S, V, D).
        """
        raise NotImplementedError


@MODELS.register_module()
class SelfAttentionDecoder(BaseSkeletonDecoder):
    """The decoder of MAE and MAMP: mask tokens, attention among all tokens.

    Its only window is that of the token. Arguments are those of
    :class:`BaseSkeletonDecoder`.

    Raises:
        ValueError: If another window than ``t_patch_size`` is asked for.
    """

    def __init__(
        self, *, embed_dims: int, t_patch_size: int, windows: Sequence[int], **kwargs
    ) -> None:
        if tuple(windows) != (t_patch_size,):
            raise ValueError(
                f'SelfAttentionDecoder serves the window of a token alone, '
                f't_patch_size={t_patch_size}; the heads ask for {tuple(windows)}. Use '
                f'CrossAttentionDecoder for other windows.'
            )
        super().__init__(
            embed_dims=embed_dims, t_patch_size=t_patch_size, windows=windows, **kwargs
        )
        self.mask_token = position_table(1, 1, embed_dims)

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor,
        places: dict[int, Tensor | slice] | None = None,
    ) -> dict[int, Tensor]:
        """See :meth:`BaseSkeletonDecoder.forward`; all cells are computed."""
        tokens = self.embed(tokens)
        x = self.mask_token.to(tokens.dtype).expand(*mask.shape, -1)
        # Rows are visited in order and their visible places ascend, as the tokens do.
        x = x.masked_scatter(~mask.unsqueeze(-1), tokens)  # (N, L, D)
        (window,) = self.windows
        x = x + (self.temporal_tables[str(window)] + self.joint_table).flatten(1, 2)
        for block in self.blocks:
            x = block(x)
        cells = self.norm(x).unflatten(1, (-1, self.num_joints))
        return {window: cells if places is None else cells[:, places[window]]}


@MODELS.register_module()
class CrossAttentionDecoder(BaseSkeletonDecoder):
    """One learned query a cell, which reads the visible tokens.

    A query is the sum of its window's time table and a joint table. There is no
    attention among queries, so the cost is linear in the number of cells that are asked
    for, and one pass serves any number of windows. Arguments are those of
    :class:`BaseSkeletonDecoder`.
    """

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor,
        places: dict[int, Tensor | slice] | None = None,
    ) -> dict[int, Tensor]:
        """See :meth:`BaseSkeletonDecoder.forward`; the mask is not needed."""
        if places is None:
            places = dict.fromkeys(self.windows, slice(None))
        context = self.embed(tokens)
        queries = [
            (self.temporal_tables[str(w)][:, place] + self.joint_table).flatten(1, 2)
            for w, place in places.items()
        ]
        x = torch.cat(queries, dim=1).expand(context.shape[0], -1, -1)
        for block in self.blocks:
            x = block(x, context)
        cells = self.norm(x).split([q.shape[1] for q in queries], dim=1)
        return {
            w: c.unflatten(1, (-1, self.num_joints))
            for w, c in zip(places, cells, strict=True)
        }
