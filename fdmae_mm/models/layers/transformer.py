"""The only attention block of the project."""

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention, from tokens to themselves or to a context.

    Args:
        embed_dims (int): Width D.
        num_heads (int): Heads; they must divide D.
    """

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(
                f'embed_dims={embed_dims} must be a multiple of num_heads={num_heads}.'
            )
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims)
        self.proj = nn.Linear(embed_dims, embed_dims)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, L, D), optional (N, S, D) -> (N, L, D).

        Args:
            x (Tensor): Queries.
            context (Tensor, optional): Keys and values; the queries themselves
                where it is not given.
        """
        q, k, v = self.project(x, context)
        x = F.scaled_dot_product_attention(q, k, v)  # (N, heads, L, D / heads)
        return self.proj(x.transpose(1, 2).flatten(2))

    def project(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (N, heads, L, D / heads), and keys and values of the context."""
        if context is None:
            q, k, v = self.qkv(x).chunk(3, dim=-1)
        else:
            # One packed projection serves both uses: a cross-attention layer
            # takes its query rows for x and its other rows for the context.
            d = x.shape[-1]
            weight, bias = self.qkv.weight, self.qkv.bias
            q = F.linear(x, weight[:d], bias[:d])
            k, v = F.linear(context, weight[d:], bias[d:]).chunk(2, dim=-1)
        q, k, v = (
            y.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for y in (q, k, v)
        )
        return q, k, v


class TransformerBlock(nn.Module):
    """Pre-norm block: attention, then an MLP, each with a residual path.

    Args:
        embed_dims (int): Width D.
        num_heads (int): Attention heads.
        mlp_ratio (float): Hidden width of the MLP over D.
        drop_path (float): Share of residual paths that are dropped in training.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        hidden_dims = int(embed_dims * mlp_ratio)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.attn = Attention(embed_dims, num_heads)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.mlp = nn.Sequential(
            nn.Linear(embed_dims, hidden_dims),
            nn.GELU(),
            nn.Linear(hidden_dims, embed_dims),
        )
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """(N, L, D), optional (N, S, D) -> (N, L, D); see :class:`Attention`."""
        x = x + self.drop_path(self.attn(self.norm1(x), context))
        return x + self.drop_path(self.mlp(self.norm2(x)))


def init_linear(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases, as ViT and MAMP start."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def position_table(*shape: int) -> nn.Parameter:
    """A learned position table, truncated normal of standard deviation 0.02."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=0.02))
