import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..layers import (
    TransformerBlock,
    check_counts,
    gather_tokens,
    init_linear,
    patchify,
    position_table,
    present_sequences,
    visible_index,
)


@MODELS.register_module()
class SkeletonTransformer(BaseModule):
    """Vision transformer over joints and time.

    A token is one joint over ``t_patch_size`` frames; its place is the sum of a
    learned table over time and a learned table over joints; there is no class
    token. Shapes, tables and initial weights are those of the encoder of
    `MAMP <https://github.com/maoyunyao/MAMP>`_ (Mao et al., ICCV 2023).

    Args:
        embed_dims (int): Width D.
        depth (int): Number of transformer blocks.
        num_heads (int): Attention heads of a block.
        in_channels (int): C, coordinates (and score) of a joint.
        num_joints (int): V.
        clip_len (int): T, frames of a clip.
        t_patch_size (int): p, frames of a token; it must divide T.
        mlp_ratio (float): Hidden width of the MLPs over D.
        drop_path_rate (float): Stochastic depth of the last block; it rises
            linearly from 0 at the first.
        patch_drop_rate (float): Share of the T / p tokens of each joint that
            :meth:`forward` leaves out in training, drawn anew for each clip and joint:
            `PatchDropout <https://arxiv.org/abs/2208.07220>`_ (Liu et al., WACV 2023),
            which makes fine-tuning cheaper. Pre-training has its masks.
        encode_absent (bool): Encode all-zero bodies and average them like any
            other, as MAMP was published, instead of leaving them out.
        frozen_stages (int): Stages that get no gradient and stay in eval mode: -1
            none, 0 the embedding, k the embedding and the first k blocks;
            ``depth`` freezes everything, the last norm too.
        init_cfg (dict, optional): A ``Pretrained`` initialisation.

    Raises:
        ValueError: If a count is no whole number above 0, ``t_patch_size`` does not
            divide ``clip_len``, ``drop_path_rate`` or ``patch_drop_rate`` is not in
            [0, 1), or ``frozen_stages`` is not in [-1, depth].
    """

    def __init__(
        self,
        embed_dims: int = 256,
        depth: int = 8,
        num_heads: int = 8,
        in_channels: int = 3,
        num_joints: int = 25,
        clip_len: int = 120,
        t_patch_size: int = 4,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
        patch_drop_rate: float = 0.0,
        encode_absent: bool = False,
        frozen_stages: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_counts(
            embed_dims=embed_dims,
            depth=depth,
            num_heads=num_heads,
            in_channels=in_channels,
            num_joints=num_joints,
            clip_len=clip_len,
            t_patch_size=t_patch_size,
        )
        for name, rate in (
            ('drop_path_rate', drop_path_rate),
            ('patch_drop_rate', patch_drop_rate),
        ):
            if not 0 <= rate < 1:
                raise ValueError(f'{name}={rate} must lie in [0, 1).')
        if clip_len % t_patch_size:
            raise ValueError(
                f'clip_len={clip_len} must be a multiple of '
                f't_patch_size={t_patch_size}.'
            )
        if not -1 <= frozen_stages <= depth:
            raise ValueError(
                f'frozen_stages={frozen_stages} must lie between -1 and depth={depth}.'
            )
        self.embed_dims = embed_dims
        self.in_channels = in_channels
        self.num_joints = num_joints
        self.clip_len = clip_len
        self.t_patch_size = t_patch_size
        self.patch_drop_rate = patch_drop_rate
        self.encode_absent = encode_absent
        self.frozen_stages = frozen_stages

        self.blocks = nn.ModuleList(
            TransformerBlock(embed_dims, num_heads, mlp_ratio, drop_path=rate)
            for rate in torch.linspace(0, drop_path_rate, depth).tolist()
        )
        self.norm = nn.LayerNorm(embed_dims)
        self.apply(init_linear)
        # Like MAMP's convolution, the embedding keeps PyTorch's default start.
        self.patch_embed = nn.Linear(t_patch_size * in_channels, embed_dims)
        self.temporal_table = position_table(1, clip_len // t_patch_size, 1, embed_dims)
        self.joint_table = position_table(1, 1, num_joints, embed_dims)

        self._freeze()

    def present(self, x: Tensor) -> Tensor:
        """Which sequences are encoded: (N, T, V, C) -> bool (N,)."""
        if self.encode_absent:
            return x.new_ones(x.shape[0], dtype=torch.bool)
        return present_sequences(x)

    def forward(self, x: Tensor) -> Tensor:
        """Encode every person who is present.

        All tokens are encoded, in training those that ``patch_drop_rate`` leaves. An
        absent person's place is filled with the mean over the persons who are
        present, so that a stock head, which averages over M, gets their average.
        A clip without anyone is encoded as one all-zero body.

        Args:
            x (Tensor): Shape (N, M, T, V, C).

        Returns:
            Tensor: Shape (N, M, D, T', V), what stock GCN heads take; T' is T / p, or
            what ``patch_drop_rate`` leaves of it.
        """
        n, m = x.shape[:2]
        x = x.flatten(0, 1)
        present = self.present(x).view(n, m)
        present[:, 0] |= ~present.any(1)
        index = present.flatten().nonzero().flatten()  # the host waits for a GPU here
        x = x[index]
        if self.training and self.patch_drop_rate:
            tokens = self._encode(x, self._kept_index(x))
        else:
            tokens = self.forward_tokens(x)
        feats = tokens.new_zeros(n * m, *tokens.shape[1:])
        feats[index] = tokens
        feats = feats.view(n, m, *tokens.shape[1:])  # (N, M, L, D)
        if m > 1:
            count = present.sum(1).view(n, 1, 1, 1)
            mean = feats.sum(1, keepdim=True) / count
            feats = torch.where(present.view(n, m, 1, 1), feats, mean)
        feats = feats.unflatten(2, (-1, self.num_joints))  # (N, M, T', V, D)
        return feats.permute(0, 1, 4, 2, 3)

    def forward_tokens(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode the visible tokens of each sequence.

        Args:
            x (Tensor): Shape (N, T, V, C).
            mask (Tensor, optional): Bool, shape (N, L), L = T' * V, time-major.
                True marks a masked token. All tokens are visible without it.

        Returns:
            Tensor: Shape (N, L_visible, D), in ascending order of position.
        """
        return self._encode(x, None if mask is None else visible_index(mask))

    def train(self, mode: bool = True) -> 'SkeletonTransformer':
        """Set the mode; frozen stages stay in eval mode."""
        super().train(mode)
        for module in self._frozen_modules():
            module.eval()
        return self

    def _encode(self, x: Tensor, index: Tensor | None) -> Tensor:
        """Encode all tokens, or those at ``index``, (N, K), in its order: (N, K, D)."""
        self._check_input(x)
        x = patchify(x, self.t_patch_size).flatten(1, 2)  # (N, L, p * C)
        x = x.to(self.patch_embed.weight.dtype)  # of a model in half precision
        position = (self.temporal_table + self.joint_table).flatten(1, 2)  # (1, L, D)
        if index is None:
            x = self.patch_embed(x) + position
        else:
            x = self.patch_embed(gather_tokens(x, index)) + position[0, index]
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def _kept_index(self, x: Tensor) -> Tensor:
        """Tokens that a training step keeps, as many of each joint: (N, T' * V)."""
        times = self.clip_len // self.t_patch_size
        kept = max(1, round(times * (1 - self.patch_drop_rate)))
        noise = torch.rand(x.shape[0], times, self.num_joints, device=x.device)
        time = noise.argsort(1)[:, :kept].sort(1)[0]
        joint = torch.arange(self.num_joints, device=x.device)
        return (time * self.num_joints + joint).flatten(1)

    def _frozen_modules(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        modules = [self.patch_embed, *self.blocks[: self.frozen_stages]]
        if self.frozen_stages == len(self.blocks):
            modules.append(self.norm)
        return modules

    def _freeze(self) -> None:
        for module in self._frozen_modules():
            module.requires_grad_(False)
        if self.frozen_stages >= 0:
            self.temporal_table.requires_grad_(False)
            self.joint_table.requires_grad_(False)

    def _check_input(self, x: Tensor) -> None:
        for name, found, expected in (
            ('clip_len', x.shape[1], self.clip_len),
            ('num_joints', x.shape[2], self.num_joints),
            ('in_channels', x.shape[3], self.in_channels),
        ):
            if found != expected:
                raise ValueError(
                    f'The input has {name}={found}, the backbone was built for '
                    f'{name}={expected}: set backbone.{name}={found}, or give it data '
                    f'that fit.'
                )

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: object
    ) -> None:
        """Refuse weights of another shape or depth, and a part of the weights.

        MMEngine would skip them with a warning; a backbone that is loaded in part gives
        a number, and a wrong one.
        """
        blocks = {
            int(name.removeprefix(f'{prefix}blocks.').partition('.')[0])
            for name in state_dict
            if name.startswith(f'{prefix}blocks.')
        }
        if blocks and len(blocks) != len(self.blocks):
            raise ValueError(
                f'{prefix}blocks: {len(blocks)} in the checkpoint and '
                f'{len(self.blocks)} in the config: set depth={len(blocks)} of the '
                'backbone.'
            )
        own = self.state_dict()
        missing = [prefix + name for name in own if prefix + name not in state_dict]
        if missing and any(name.startswith(prefix) for name in state_dict):
            raise ValueError(
                f'The checkpoint has weights of an encoder and lacks {missing}: it is '
                'incomplete, or of another model.'
            )
        for name, value in own.items():
            loaded = state_dict.get(prefix + name, value)
            if loaded.shape != value.shape:
                raise ValueError(
                    f'{prefix}{name} has shape {tuple(loaded.shape)} in the checkpoint '
                    f'and {tuple(value.shape)} in the config: set num_joints, '
                    f'clip_len, t_patch_size, in_channels and embed_dims of the '
                    f'backbone to those of the pre-training config.'
                )
        super()._load_from_state_dict(state_dict, prefix, *args)
