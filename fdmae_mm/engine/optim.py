import re

from mmaction.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GroupedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's default constructor, with one group for all parameters of a kind.

    Under ``paramwise_cfg`` MMEngine makes a group of every parameter, and an optimizer
    steps through its groups one by one; what is fused or foreach is so within a group.
    """

    def add_params(
        self, params: list[dict], module: nn.Module, prefix: str = '', **kwargs: object
    ) -> None:
        """Add the parameters of a module; the last call merges groups that agree."""
        super().add_params(params, module, prefix=prefix, **kwargs)
        if prefix:  # a child of the model: the default constructor visits it first
            return
        merged: dict[str, dict] = {}
        for group in params:
            parameters = group.pop('params')
            settings = repr(sorted(group.items()))  # values may be lists
            group = merged.setdefault(settings, dict(params=[], **group))
            group['params'] += parameters
        params[:] = merged.values()


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SkeletonLayerDecayConstructor(DefaultOptimWrapperConstructor):
    """Learning rates that fall from the head to the embedding, layer by layer.

    A parameter of layer i (embedding and tables 0, block b at b + 1, everything above
    depth + 1) gets ``lr * layer_decay_rate ** (depth + 1 - i)``, as in BEiT and MAE.
    Biases, norms and position tables get no weight decay.

    Args:
        optim_wrapper_cfg (dict): As for MMEngine's default constructor. Without
            ``weight_decay``, what decays does so by the optimizer's own default.
        paramwise_cfg (dict): ``layer_decay_rate`` (float) alone.

    Raises:
        ValueError: ``paramwise_cfg`` has other keys, or lacks this one; or the
            optimizer has no ``lr``, or the backbone no ``blocks``.
    """

    def __init__(
        self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None
    ) -> None:
        if set(paramwise_cfg or ()) != {'layer_decay_rate'}:
            raise ValueError(
                f'paramwise_cfg={paramwise_cfg} of SkeletonLayerDecayConstructor must '
                'be dict(layer_decay_rate=...) and nothing else. Take away other keys '
                '(in a config that inherits them with _delete_=True); '
                'layer_decay_rate=1.0 gives all layers the same rate.'
            )
        super().__init__(optim_wrapper_cfg, paramwise_cfg)
        if self.base_lr is None:
            raise ValueError(
                f'optimizer={self.optimizer_cfg} has no lr, of which each layer gets a '
                'part: set optim_wrapper.optimizer.lr.'
            )

    def add_params(
        self, params: list[dict], module: nn.Module, **kwargs: object
    ) -> None:
        """Add one group for each layer and kind of decay."""
        rate = self.paramwise_cfg['layer_decay_rate']
        if not hasattr(module.backbone, 'blocks'):
            raise ValueError(
                f'{type(module.backbone).__name__} has no blocks, whose layers '
                'SkeletonLayerDecayConstructor counts: set optim_wrapper.constructor='
                'DefaultOptimWrapperConstructor and optim_wrapper.paramwise_cfg=None.'
            )
        top = len(module.backbone.blocks) + 1
        groups: dict[tuple[int, bool], dict] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            layer = layer_of(name, top)
            decays = parameter.ndim > 1 and not re.search(r'_tables?(\.|$)', name)
            group = groups.setdefault(
                (layer, decays),
                dict(params=[], lr=self.base_lr * rate ** (top - layer)),
            )
            if not decays:
                group['weight_decay'] = 0.0
            elif self.base_wd is not None:
                group['weight_decay'] = self.base_wd
            group['params'].append(parameter)
        params.extend(groups.values())


def layer_of(name: str, top: int) -> int:
    """Layer of a parameter of a recognizer with a SkeletonTransformer backbone."""
    if block := re.match(r'backbone\.blocks\.(\d+)\.', name):
        return int(block[1]) + 1
    if name.startswith('backbone.') and not name.startswith('backbone.norm'):
        return 0
    return top
