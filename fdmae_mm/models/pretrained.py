"""Pre-trained weights for another skeleton or another clip length."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from mmengine.model import PretrainedInit, update_init_info
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader, load_state_dict
from torch import Tensor, nn

from fdmae_mm.datasets.layouts import SkeletonLayout, get_layout, map_layout


@WEIGHT_INITIALIZERS.register_module('PretrainedSkeleton')
class PretrainedSkeletonInit(PretrainedInit):
    """Loads weights that were pre-trained on another skeleton layout.

    ``init_cfg=dict(type='PretrainedSkeleton', ...)`` of a backbone or decoder, in place
    of ``Pretrained``. The table of joint positions is carried over like the joints
    (:func:`fdmae_mm.datasets.layouts.map_layout`): the row of a joint is its row in the
    checkpoint, that of a joint which the source lacks is the mean of the joints that it
    is made of. Tables of time positions are interpolated where the clip has another
    number of tokens, as frames are where a clip is resized. All else is loaded by name.

    Args:
        checkpoint (str): File or URL, as for ``Pretrained``.
        source_layout (str | Mapping | SkeletonLayout): The layout of the
            pre-training, as taken by :func:`fdmae_mm.datasets.layouts.get_layout`.
        target_layout (str | Mapping | SkeletonLayout): That of the model.
        prefix (str, optional): Where the module stands in the checkpoint, such as
            ``'backbone.'``.
        map_location (str): Device to load on.

    Raises:
        ValueError: A table has another number of joints than its layout, another
            weight another shape than in the checkpoint, or the checkpoint has none
            of the module's weights.
    """

    def __init__(
        self,
        checkpoint: str,
        source_layout: str | Mapping | SkeletonLayout,
        target_layout: str | Mapping | SkeletonLayout,
        prefix: str | None = None,
        map_location: str = 'cpu',
    ) -> None:
        super().__init__(checkpoint, prefix, map_location)
        self.source = get_layout(source_layout)
        self.target = get_layout(target_layout)

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into ``module``."""
        print_log(
            f'load {self.prefix or "model"} from {self.checkpoint}, joints of '
            f'{self.source.name!r} to {self.target.name!r}',
            logger='current',
        )
        checkpoint = CheckpointLoader.load_checkpoint(
            self.checkpoint, self.map_location, logger='current'
        )
        state = checkpoint.get('state_dict', checkpoint)
        state = {key.removeprefix('module.'): value for key, value in state.items()}
        prefix = f'{self.prefix.rstrip(".")}.' if self.prefix else ''
        loaded = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
        own = module.state_dict()
        if not loaded.keys() & own.keys():
            roots = sorted({key.split('.')[0] for key in state})
            raise ValueError(
                f'{self.checkpoint} has no weights of {type(module).__name__} under '
                f'prefix={self.prefix!r}; it has {roots}. Set prefix to where they '
                'stand.'
            )
        weights = torch.from_numpy(map_layout(self.source, self.target)[0])
        for key, value in own.items():
            if key in loaded:
                loaded[key] = self._fit(key, loaded[key], value, weights)
        load_state_dict(module, loaded, strict=False, logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())

    def _fit(self, key: str, value: Tensor, own: Tensor, weights: Tensor) -> Tensor:
        """The weight of the checkpoint for this module's joints and clip length.

        Tables of joints are (1, 1, V, D), those of time (1, T', 1, D).
        """
        if 'joint_table' in key:
            for table, layout, where in (
                (value, self.source, 'the checkpoint'),
                (own, self.target, 'the model'),
            ):
                if table.shape[2] != layout.num_joints:
                    raise ValueError(
                        f'{key} has shape {tuple(table.shape)} in {where}, but layout '
                        f'{layout.name!r} has {layout.num_joints} joints. Set '
                        'source_layout to that of the pre-training, and target_layout '
                        'and num_joints to those of the data.'
                    )
            if self.source != self.target:
                value = weights.to(value) @ value
        elif 'temporal_table' in key and value.shape[1] != own.shape[1]:
            tokens = value[:, :, 0].transpose(1, 2)  # (1, D, T')
            tokens = F.interpolate(tokens, own.shape[1], mode='linear')
            value = tokens.transpose(1, 2).unsqueeze(2)
        if value.shape != own.shape:
            raise ValueError(
                f'{key} has shape {tuple(value.shape)} in {self.checkpoint} and '
                f'{tuple(own.shape)} in the model. Only tables of joint and time '
                'positions are carried over: set embed_dims, depth, in_channels and '
                't_patch_size to those of the pre-training config.'
            )
        return value
