from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmaction.utils import SampleList
from torch import Tensor, nn

from ..layers import Cells, cell_weight, check_counts, frame_mask


class Sequences(NamedTuple):
    """The persons present in a batch, each a sequence of its own.

    Attributes:
        x (Tensor): Shape (N, T, V, C).
        masks (dict[str, Tensor]): Key -> bool (N, L). True marks a masked token.
        valid (Tensor): Float (N,): 1, or 0 for the one body that stands in for a
            batch without anyone.
    """

    x: Tensor
    masks: dict[str, Tensor]
    valid: Tensor


@MODELS.register_module()
class SkeletonMAE(BaseRecognizer):
    """Masked auto-encoder over joints and time.

    MAE, MAMP and large-window reconstruction are configurations of this class: which
    tokens are hidden is the masking transform's choice, what is predicted the heads'.

    Args:
        backbone (dict): Config of a :class:`SkeletonTransformer`.
        decoder (dict): Config of a decoder. Widths, joints, frames and windows are
            filled in from the backbone and the heads.
        heads (dict[str, dict]): Name -> config of a head on the decoder's cells. A
            head's loss is logged as ``loss_{name}``, what it only logs as
            ``{name}_{key}``.
        max_cells (int, optional): At most so many of a joint's cells of a window are
            decoded in a training step. Which, is drawn anew at each step, for the whole
            batch of a process. All by default.
        data_preprocessor (dict, optional): Config of the data preprocessor, by default
            a :class:`StackedDataPreprocessor`.
        windows (Sequence[int]): Windows to decode beside those of the heads.

    Raises:
        ValueError: If a head's name contains "loss", which MMEngine would add to the
            loss, or there is no head, or if ``max_cells`` is below 1.
    """

    mask_keys: tuple[str, ...] = ('mask',)

    def __init__(
        self,
        backbone: dict,
        decoder: dict,
        heads: dict[str, dict],
        max_cells: int | None = None,
        data_preprocessor: dict | None = None,
        windows: Sequence[int] = (),
    ) -> None:
        super().__init__(
            backbone=backbone,
            data_preprocessor=data_preprocessor
            or dict(type='mmaction.StackedDataPreprocessor'),
        )
        if max_cells is not None:
            check_counts(max_cells=max_cells)
        self.max_cells = max_cells
        if not heads or any('loss' in name for name in heads):
            raise ValueError(
                f'heads={list(heads)} must be at least one, and no name may contain '
                f"'loss': MMEngine adds up every log entry that does."
            )
        self._checked: set[str] = set()  # masks whose counts have been looked at
        self.heads = nn.ModuleDict()
        for name, head in heads.items():
            self.heads[name] = MODELS.build(
                head,
                default_args=dict(
                    in_dims=decoder['embed_dims'], in_channels=self.backbone.in_channels
                ),
            )
        self.windows = sorted(
            {w for head in self.heads.values() for w in head.windows}.union(windows)
        )
        self.decoder = MODELS.build(
            decoder,
            default_args=dict(
                in_dims=self.backbone.embed_dims,
                num_joints=self.backbone.num_joints,
                clip_len=self.backbone.clip_len,
                t_patch_size=self.backbone.t_patch_size,
                windows=self.windows,
            ),
        )

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of all heads, and what is only logged.

        Args:
            inputs (Tensor): Shape (B, K, M, T, V, C).
            data_samples (list[ActionDataSample]): Each with a ``mask``, bool
                (K, M, L); see :class:`BaseSkeletonMasking`.

        Returns:
            dict[str, Tensor]: Scalars by name.
        """
        sequences = self.sequences(inputs, data_samples)
        mask = sequences.masks['mask']
        tokens = self.backbone.forward_tokens(sequences.x, mask)
        places = {w: self._places(w, mask.device) for w in self.windows}
        cells = {
            w: Cells(
                features,
                self._weight(mask, w, sequences.valid)[:, places[w]],
                places[w],
            )
            for w, features in self.decoder(tokens, mask, places).items()
        }
        losses = self.head_losses(sequences, cells)
        losses['masked_share'] = mask.float().mean()
        return losses

    def head_losses(
        self, sequences: Sequences, cells: dict[int, Cells]
    ) -> dict[str, Tensor]:
        """Losses and logs of every head on the decoded cells."""
        losses = {}
        for name, head in self.heads.items():
            losses[f'loss_{name}'], logs = head.loss(sequences.x, cells)
            if any('loss' in key for key in logs):
                raise ValueError(
                    f'Head {name!r} logs {list(logs)}: MMEngine adds up every entry '
                    "whose name contains 'loss'. Give it another name."
                )
            losses.update({f'{name}_{key}': value for key, value in logs.items()})
        return losses

    def sequences(
        self,
        inputs: Tensor,
        data_samples: SampleList,
        mask_keys: Sequence[str] | None = None,
    ) -> Sequences:
        """Leave absent persons out: (B, K, M, T, V, C) -> N sequences.

        Args:
            inputs (Tensor): Shape (B, K, M, T, V, C).
            data_samples (list[ActionDataSample]): With the masks.
            mask_keys (Sequence[str], optional): Which of them, by default all that a
                training step takes.
        """
        x = inputs.flatten(0, 2)  # (B * K * M, T, V, C)
        present = self.backbone.present(x)
        # A rank without anyone still takes part in the step, with zero weight:
        # otherwise the other ranks would wait for its gradients for ever.
        chosen = present.clone()
        chosen[0] |= ~present.any()
        chosen = chosen.nonzero().flatten()  # the host waits for a GPU here, once
        masks = {}
        for key in self.mask_keys if mask_keys is None else mask_keys:
            mask = torch.stack([self._mask_of(s, key, inputs) for s in data_samples])
            self._check_counts(mask, key)
            masks[key] = mask.to(x.device).flatten(0, 2)[chosen]
        return Sequences(x[chosen], masks, present[chosen].float())

    @torch.no_grad()
    def reconstruct(
        self, inputs: Tensor, data_samples: SampleList, head: str = 'time'
    ) -> Tensor:
        """Clips whose masked tokens are replaced by what a head predicts.

        As in MAE's pictures, a normalised target takes each cell's mean and scale
        from the original.

        Args:
            inputs (Tensor): Shape (B, K, M, T, V, C).
            data_samples (list[ActionDataSample]): As for :meth:`loss`.
            head (str): Name of a head with a ``predict`` method.

        Returns:
            Tensor: Coordinates, shape (B, K, M, T, V, C); absent persons stay zero.
        """
        sequences = self.sequences(inputs, data_samples, ('mask',))
        x, mask = sequences.x, sequences.masks['mask']
        features = self.decoder(self.backbone.forward_tokens(x, mask), mask)
        target = self.heads[head].target
        hidden = frame_mask(mask, self.backbone.num_joints, self.backbone.t_patch_size)
        predicted = self.heads[head].predict(x, features)
        signal = torch.where(hidden.unsqueeze(-1), predicted, target.signal(x))
        out = torch.zeros_like(inputs).flatten(0, 2)
        joints = target.joints(signal, x)[sequences.valid.bool()]
        out[self.backbone.present(inputs.flatten(0, 2))] = joints.to(out.dtype)
        return out.view_as(inputs)

    def extract_feat(
        self, inputs: Tensor, stage: str = 'backbone', **kwargs: object
    ) -> tuple[Tensor, dict]:
        """Features of unmasked clips: (B, K, M, T, V, C) -> (B * K, M, D, T', V)."""
        if stage != 'backbone':
            raise ValueError(
                f"stage={stage!r}: a pre-training model has 'backbone' alone."
            )
        return self.backbone(inputs.flatten(0, 1)), {}

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """A pre-training model knows no classes: always an error."""
        raise ValueError(
            f'{type(self).__name__} has no classification head, so there is nothing to '
            f'test. Evaluate its checkpoint with a config of configs/benchmarks, for '
            f'example k-NN: tools/test.py configs/benchmarks/knn/... CHECKPOINT.'
        )

    def _places(self, window: int, device: torch.device) -> Tensor | slice:
        count = self.backbone.clip_len // window
        if not self.training or self.max_cells is None or self.max_cells >= count:
            return slice(None)
        return torch.randperm(count, device=device)[: self.max_cells]

    def _weight(self, mask: Tensor, window: int, valid: Tensor) -> Tensor:
        weight = cell_weight(
            mask, self.backbone.num_joints, window // self.backbone.t_patch_size
        )
        return weight * valid.view(-1, 1, 1)

    def _check_counts(self, mask: Tensor, key: str) -> None:
        """Refuse masks whose rows would be mixed up.

        On a GPU the host would wait for the answer, so it asks for the first batch.
        """
        if torch.compiler.is_compiling():
            return
        if mask.device.type != 'cpu' and key in self._checked:
            return
        self._checked.add(key)
        counts = mask.sum(-1).unique().tolist()
        if len(counts) > 1:
            raise ValueError(
                f'{key!r} hides from {counts[0]} to {counts[-1]} tokens of a sequence: '
                'it must hide the same number in each, of absent persons too, as '
                'BaseSkeletonMasking does.'
            )

    def _mask_of(self, sample: ActionDataSample, key: str, inputs: Tensor) -> Tensor:
        mask = sample.get(key)
        if mask is None:
            raise KeyError(
                f"The data sample has no '{key}': add a masking transform with "
                f'key={key!r} to the pipeline and {key!r} to algorithm_keys of '
                'PackActionInputs.'
            )
        if mask.dtype != torch.bool:
            raise ValueError(f"'{key}' is of type {mask.dtype}, expected torch.bool.")
        if mask.shape[:2] != inputs.shape[1:3]:
            raise ValueError(
                f"'{key}' has shape {tuple(mask.shape)}, the clips (K, M) = "
                f'{tuple(inputs.shape[1:3])}: mask after FormatGCNInput.'
            )
        _, _, _, t, v, _ = inputs.shape
        patch = self.backbone.t_patch_size
        if mask.shape[2] != t // patch * v:
            raise ValueError(
                f"'{key}' is of {mask.shape[2]} tokens, the backbone makes "
                f'{t // patch * v} of {t} frames and {v} joints: set t_patch_size of '
                f"the masking transform to the backbone's, {patch}."
            )
        return mask
