import math

import torch
import torch.nn.functional as F
from mmaction.models.heads import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..layers import check_counts


def pool(feats: Tensor) -> Tensor:
    """Mean over persons, time and joints: (N, M, D, T', V) -> (N, D)."""
    return feats.mean((1, 3, 4))


def pool_joints(feats: Tensor) -> Tensor:
    """Mean over persons and time, joint after joint: (N, M, D, T', V) -> (N, V * D)."""
    return feats.mean((1, 3)).transpose(1, 2).flatten(1)


@MODELS.register_module()
class LinearProbeHead(BaseHead):
    """The linear probe of MAE and MAMP: a batch norm without affine, one linear layer.

    Args:
        num_classes (int): Classes.
        in_channels (int): Width D of the encoder.
        loss_cls (dict): Classification loss.
        average_clips (str): How the scores of several clips are averaged.
        init_cfg (dict): Start of the linear layer.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_cls: dict = dict(type='mmaction.CrossEntropyLoss'),  # noqa: B006
        average_clips: str = 'prob',
        init_cfg: dict = dict(type='Normal', layer='Linear', std=0.01),  # noqa: B006
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls,
            average_clips=average_clips,
            init_cfg=init_cfg,
        )
        self.norm = nn.BatchNorm1d(in_channels, affine=False, eps=1e-6)
        self.fc = nn.Linear(in_channels, num_classes)

    def forward(self, feats: Tensor) -> Tensor:
        """(N, M, D, T', V) -> class scores (N, num_classes)."""
        return self.fc(self.norm(pool(feats)))


@MODELS.register_module()
class FinetuneHead(BaseHead):
    """The fine-tuning head of MAMP, which keeps the joints apart.

    Dropout, mean over persons and time, flatten joints x D, a hidden layer with batch
    norm and ReLU, one linear layer.

    Args:
        num_classes (int): Classes.
        in_channels (int): Width D of the encoder.
        num_joints (int): V.
        hidden_dims (int): Width of the hidden layer.
        dropout (float): Dropout on the encoder's features.
        loss_cls (dict): Classification loss.
        label_smooth_eps (float): Label smoothing.
        average_clips (str): How the scores of several clips are averaged.

    Raises:
        ValueError: If features of another number of joints are given.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        num_joints: int = 25,
        hidden_dims: int = 2048,
        dropout: float = 0.3,
        loss_cls: dict = dict(type='mmaction.CrossEntropyLoss'),  # noqa: B006
        label_smooth_eps: float = 0.1,
        average_clips: str = 'prob',
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=loss_cls,
            label_smooth_eps=label_smooth_eps,
            average_clips=average_clips,
        )
        self.num_joints = num_joints
        self.dropout = nn.Dropout(dropout)
        self.mlp = nn.Sequential(
            nn.Linear(num_joints * in_channels, hidden_dims),
            nn.BatchNorm1d(hidden_dims),
            nn.ReLU(inplace=True),
        )
        self.fc = nn.Linear(hidden_dims, num_classes)

    def forward(self, feats: Tensor) -> Tensor:
        """(N, M, D, T', V) -> class scores (N, num_classes)."""
        if feats.shape[-1] != self.num_joints:
            raise ValueError(
                f'The features are of {feats.shape[-1]} joints, the head was built for '
                f'num_joints={self.num_joints}: set '
                f'model.cls_head.num_joints={feats.shape[-1]}.'
            )
        return self.fc(self.mlp(pool_joints(self.dropout(feats))))


@MODELS.register_module()
class KNNHead(BaseHead):
    """Nearest labelled clips by cosine, weighted by exp(cosine / temperature).

    :class:`FeatureBankHook` fills the bank before an evaluation. The protocol is that
    of `DINO <https://arxiv.org/abs/2104.14294>`_; with ``k=1`` it is the nearest
    neighbour of the skeleton literature.

    Args:
        num_classes (int): Classes.
        in_channels (int): Width D of the encoder.
        k (int): Neighbours.
        temperature (float): Of the weights.
        average_clips (str): How the scores of several clips are averaged.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        k: int = 1,
        temperature: float = 0.07,
        average_clips: str = 'score',
    ) -> None:
        super().__init__(
            num_classes,
            in_channels,
            loss_cls=dict(type='mmaction.CrossEntropyLoss'),  # for any default scope
            average_clips=average_clips,
        )
        check_counts(k=k)
        if not 0 < temperature < math.inf:
            raise ValueError(f'temperature={temperature} must be a number above 0.')
        self.k = k
        self.temperature = temperature
        self.register_buffer('bank', torch.empty(0, in_channels), persistent=False)
        self.register_buffer(
            'bank_labels', torch.empty(0, dtype=torch.long), persistent=False
        )

    def embed(self, feats: Tensor) -> Tensor:
        """(N, M, D, T', V) -> features of unit length, (N, D)."""
        return F.normalize(pool(feats).float(), dim=-1)

    def fill(self, bank: Tensor, labels: Tensor) -> None:
        """Set the labelled clips.

        Args:
            bank (Tensor): Features as :meth:`embed` gives them, shape (S, D).
            labels (Tensor): Classes, shape (S,).
        """
        if len(bank) < self.k:
            raise ValueError(f'k={self.k} neighbours are asked of {len(bank)} clips.')
        self.bank, self.bank_labels = bank, labels

    def forward(self, feats: Tensor) -> Tensor:
        """(N, M, D, T', V) -> weights of classes, sum 1, (N, num_classes)."""
        if not len(self.bank):
            raise ValueError(
                'KNNHead has no labelled clips: add FeatureBankHook, with the training '
                'split, to custom_hooks.'
            )
        # Half precision knows two or three cosines near 1, and neighbours become ties.
        with torch.autocast(feats.device.type, enabled=False):
            cosine = self.embed(feats) @ self.bank.T
        cosine, nearest = cosine.topk(self.k, dim=1)
        weight = (cosine / self.temperature).softmax(1)
        votes = weight.new_zeros(weight.shape[0], self.num_classes)
        return votes.scatter_add_(1, self.bank_labels[nearest], weight)
