import os
from collections.abc import Iterable, Mapping

import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import PretrainedInit
from mmengine.registry import WEIGHT_INITIALIZERS
from mmengine.runner import CheckpointLoader, Runner
from torch import Tensor, nn

from ...files import config_setting
from .ema_teacher_hook import unwrap


def refuse_missing(missing: list[str], source: str | os.PathLike) -> None:
    """Refuse a model some of whose weights its checkpoint does not have.

    Args:
        missing (list[str]): Names of weights.
        source (path-like): The checkpoint, for the message.

    Raises:
        ValueError: There are some.
    """
    if missing:
        some = ', '.join(missing[:4])
        more = ', ...' if len(missing) > 4 else ''
        raise ValueError(
            f'{source} has no weights for {some}{more} ({len(missing)} in all), or has '
            'them in another shape: a prediction would be a random number. Take the '
            'config that it was trained with. A pre-training checkpoint has no '
            'trained head: train one with a config of configs/benchmarks/linear or '
            'finetune (--cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT), '
            'or test it as it is with configs/benchmarks/knn.'
        )


def initializers(init_cfg: dict | Iterable[dict] | None) -> list[dict]:
    """What an ``init_cfg`` names: one initializer, several or none."""
    return [init_cfg] if isinstance(init_cfg, dict) else list(init_cfg or ())


def _missing(
    module: nn.Module, loaded: dict[str, Tensor], prefix: str = ''
) -> list[str]:
    """Names of the weights that a checkpoint lacks, or has in another shape."""
    return [
        prefix + name
        for name, value in module.state_dict().items()
        if prefix + name not in loaded or loaded[prefix + name].shape != value.shape
    ]


def refuse_other_heads(
    parts: Iterable[tuple[str, nn.Module]],
    checkpoint: Mapping,
    source: str | os.PathLike,
) -> None:
    """Refuse what has another number of attention heads than it was trained with.

    No shape of a weight tells it, and the features would be others. A checkpoint of a
    run keeps its config, which is read here and not run.

    Args:
        parts (Iterable): Names and modules of a model, as ``named_children`` has them;
            those without blocks are passed over.
        checkpoint (Mapping): As it was read.
        source (path-like): Where it is from, for the message.

    Raises:
        ValueError: The numbers differ.
    """
    meta = checkpoint.get('meta') or {}
    for part, module in parts:
        attentions = (getattr(b, 'attn', None) for b in getattr(module, 'blocks', ()))
        own = next((getattr(attn, 'num_heads', None) for attn in attentions), None)
        if own is None:
            continue
        there = _recorded_heads(meta, part)
        if there is not None and own != there:
            raise ValueError(
                f'{source} was trained with num_heads={there}, and the config has '
                f'{own}: the same weights would compute other features. Set '
                f'model.{part}.num_heads={there}.'
            )


def _recorded_heads(meta: Mapping, part: str) -> int | None:
    """``model.backbone.num_heads`` in the meta data of a checkpoint."""
    try:
        there = config_setting(meta.get('cfg'), 'model', part, 'num_heads')
    except (SyntaxError, TypeError, ValueError):  # none, or of another tool
        there = None
    if there is None:  # a converted one has the settings that the converter found
        there = (meta.get('cfg_options') or {}).get(f'model.{part}.num_heads')
    return there


def refuse_other_encoder(
    backbone: nn.Module, init_cfg: Mapping | list | None, replaced: bool = False
) -> None:
    """Refuse a backbone whose pre-trained weights are those of another.

    MMEngine loads what fits and warns of the rest: random weights would be measured
    under the name of the checkpoint.

    Args:
        backbone (nn.Module): After its weights were initialised.
        init_cfg (Mapping | list, optional): That of its config, which a backbone of
            one's own may not have handed on.
        replaced (bool): Whether other weights were loaded since.

    Raises:
        ValueError: The checkpoint lacks weights of the backbone, has them in another
            shape, or of another number of attention heads; or the backbone has others.
    """
    for init in initializers(init_cfg):
        if 'checkpoint' not in init:
            continue
        loaded = CheckpointLoader.load_checkpoint(init['checkpoint'], 'cpu')
        refuse_other_heads([('backbone', backbone)], loaded, init['checkpoint'])
        kind = init.get('type')  # a name, one behind a scope, or the class
        kind = WEIGHT_INITIALIZERS.get(kind) if isinstance(kind, str) else kind
        if kind is not PretrainedInit:  # others tell what they lack
            continue
        loaded = loaded.get('state_dict', loaded)
        prefix = f'{init["prefix"].rstrip(".")}.' if init.get('prefix') else ''
        if missing := _missing(backbone, loaded, prefix):
            raise _other_encoder(init['checkpoint'], missing, backbone)
        for name, value in () if replaced else backbone.state_dict().items():
            if not torch.equal(value, loaded[prefix + name].to(value)):
                raise ValueError(
                    f'{init["checkpoint"]} was not loaded into '
                    f'{type(backbone).__name__}: {name} has other values. Its '
                    'constructor must call super().__init__(init_cfg=init_cfg), and an '
                    'init_weights of its own super().init_weights().'
                )


def _other_encoder(
    source: str | os.PathLike, missing: list[str], backbone: nn.Module
) -> ValueError:
    return ValueError(
        f'{source} has no weights for {missing[0]} of {type(backbone).__name__} '
        f'({len(missing)} in all), or has them in another shape: they would stay '
        'random. Give the config the backbone that was pre-trained.'
    )


@HOOKS.register_module()
class LoadedWeightsHook(Hook):
    """Refuses weights that are random although a checkpoint should have set them.

    MMEngine loads what fits and warns of the rest, so that a pre-training checkpoint
    would be tested with a head of random numbers, or an encoder be fine-tuned that is
    not the one that was pre-trained.
    """

    def __init__(self) -> None:
        self._missing: dict[str, Tensor] = {}  # with their values before
        self._source = ''

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note which weights of the model the checkpoint does not set.

        Raises:
            ValueError: Its encoder or decoder has another number of attention heads.
        """
        model = unwrap(runner)
        refuse_other_heads(model.named_children(), checkpoint, runner._load_from)
        loaded = checkpoint.get('state_dict', checkpoint)
        # As MMEngine loads them, after this hook.
        loaded = {name.removeprefix('module.'): value for name, value in loaded.items()}
        state = model.state_dict()
        # They are loaded all the same where runner.load_checkpoint renames them.
        self._missing = {name: state[name].clone() for name in _missing(model, loaded)}
        self._source = runner._load_from or 'The checkpoint'

    def before_train(self, runner: Runner) -> None:
        """What is trained need not have been loaded, but for a pre-trained encoder.

        Raises:
            ValueError: ``init_cfg`` or ``load_from`` names a checkpoint of another one.
        """
        encoder = [n for n in self._left(runner) if n.startswith('backbone.')]
        self._missing = {}
        backbone = getattr(unwrap(runner), 'backbone', None)
        if backbone is None or runner._resume:
            return
        described = runner.cfg.get('model', {}).get('backbone', {}).get('init_cfg')
        # A runner may have been given a model that is built.
        init_cfg = described or getattr(backbone, 'init_cfg', None)
        refuse_other_encoder(backbone, init_cfg, runner._load_from is not None)
        if encoder:
            raise _other_encoder(self._source, encoder, backbone)

    def before_test(self, runner: Runner) -> None:
        """Raise if weights are missing."""
        refuse_missing(self._left(runner), self._source)

    def before_val(self, runner: Runner) -> None:
        """Raise if weights are missing."""
        refuse_missing(self._left(runner), self._source)

    def _left(self, runner: Runner) -> list[str]:
        """Names of the weights that have not changed since they were found missing."""
        state = unwrap(runner).state_dict()
        return [n for n, value in self._missing.items() if torch.equal(state[n], value)]
