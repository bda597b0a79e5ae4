from copy import deepcopy

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..layers import Cells
from .skeleton_mae import Sequences, SkeletonMAE


@MODELS.register_module()
class FDMAE(SkeletonMAE):
    """Frequency decoupled masked auto-encoder: SkeletonMAE and a momentum path.

    Published (abstract of doi 10.1109/LSP.2024.3525398): frequency as a direct target,
    scale by scale, and a dual path with an EMA update that steadies the training. That
    the momentum path predicts features of masked cells from another view of the clip
    is this project's reconstruction.

    The teacher is a copy of encoder and decoder without gradient. It follows them when
    :class:`EMATeacherHook` calls :meth:`update_teacher`.

    Args:
        momentum_head (dict): Config of a :class:`MomentumHead`. Its windows are those
            of the heads, unless it names its own.
        teacher_view (str): What the teacher sees of the clip. ``'masked'``: the tokens
            that a second mask, ``teacher_mask`` of the data sample, leaves visible;
            ``'full'``: all tokens.
        backbone, decoder, heads, max_cells, data_preprocessor: See
            :class:`SkeletonMAE`.

    Raises:
        ValueError: If ``teacher_view`` is neither, or a head has the name 'momentum'.
    """

    def __init__(
        self,
        backbone: dict,
        decoder: dict,
        heads: dict[str, dict],
        momentum_head: dict,
        teacher_view: str = 'masked',
        max_cells: int | None = None,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(
            backbone,
            decoder,
            heads,
            max_cells,
            data_preprocessor,
            windows=momentum_head.get('windows', ()),
        )
        if teacher_view not in ('masked', 'full'):
            raise ValueError(
                f"teacher_view={teacher_view!r} must be 'masked' or 'full'."
            )
        if 'momentum' in heads:
            raise ValueError(
                f"heads={list(heads)}: 'momentum' is the name of the momentum path's "
                'loss; give the head another.'
            )
        self.teacher_view = teacher_view
        if teacher_view == 'masked':
            self.mask_keys = ('mask', 'teacher_mask')
        self.momentum_head = MODELS.build(
            momentum_head,
            default_args=dict(in_dims=self.decoder.embed_dims, windows=self.windows),
        )
        self.teacher = nn.ModuleDict(
            dict(backbone=deepcopy(self.backbone), decoder=deepcopy(self.decoder))
        )
        parameters_to_buffers(self.teacher)
        self.teacher.eval()

    def init_weights(self) -> None:
        """Initialise the online path and copy it to the teacher."""
        super().init_weights()
        self.update_teacher(1.0)

    def train(self, mode: bool = True) -> 'FDMAE':
        """Set the mode; the teacher stays in eval mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    @torch.no_grad()
    def update_teacher(self, momentum: float) -> None:
        """Move the teacher, t <- t + momentum * (s - t), and copy buffers.

        Raises:
            ValueError: The weights are of half precision, where most steps of a slow
                momentum are below the last digit and would move nothing.
        """
        teacher = dict(self.teacher.named_buffers())
        online, moved = [], []
        for part in self.teacher:
            module = getattr(self, part)
            for name, parameter in module.named_parameters():
                if torch.finfo(parameter.dtype).bits < 32 and momentum < 1:
                    raise ValueError(
                        f'{part}.{name} is {parameter.dtype}, in which the teacher '
                        'would stand still: keep the weights in float32 and train '
                        'with --amp (AmpOptimWrapper).'
                    )
                online.append(parameter)
                moved.append(teacher[f'{part}.{name}'])
            for name, buffer in module.named_buffers():
                teacher[f'{part}.{name}'].copy_(buffer)
        torch._foreach_lerp_(moved, online, momentum)

    def head_losses(
        self, sequences: Sequences, cells: dict[int, Cells]
    ) -> dict[str, Tensor]:
        """Losses of the heads and of the momentum path."""
        losses = super().head_losses(sequences, cells)
        places = {w: cells[w].places for w in self.momentum_head.windows}
        losses['loss_momentum'] = self.momentum_head.loss(
            cells, self.teacher_cells(sequences, places)
        )
        return losses

    @torch.no_grad()
    def teacher_cells(
        self, sequences: Sequences, places: dict[int, Tensor | slice]
    ) -> dict[int, Tensor]:
        """The teacher's features of the cells at ``places``, (N, S, V, D) a window."""
        x = sequences.x
        if self.teacher_view == 'masked':
            mask = sequences.masks['teacher_mask']
            tokens = self.teacher['backbone'].forward_tokens(x, mask)
        else:
            mask = torch.zeros_like(sequences.masks['mask'])
            tokens = self.teacher['backbone'].forward_tokens(x)
        return self.teacher['decoder'](tokens, mask, places)


def parameters_to_buffers(module: nn.Module) -> None:
    """Turn every parameter into a buffer of the same name.

    Names in the checkpoint stay, and no optimizer, clipping or gradient
    synchronisation can reach the tensors, whatever the config.
    """
    for child in module.modules():
        for name, parameter in list(child._parameters.items()):
            del child._parameters[name]
            child.register_buffer(name, parameter.detach().clone())
