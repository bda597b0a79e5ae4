"""A trained model, and what its input must look like, from a config and weights."""

from __future__ import annotations

import copy
import difflib
import inspect
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader, Runner

from ..datasets.layouts import SkeletonLayout, layouts_of
from ..datasets.skeleton_dataset import parts_of
from ..engine.hooks.feature_bank_hook import fill_bank
from ..engine.hooks.loaded_weights_hook import refuse_missing, refuse_other_heads
from ..files import shipped
from ..models.heads import KNNHead

# What MMEngine's runner reads of a config beside its own parameters.
_RUNNER_SETTINGS = (
    'activation_checkpointing',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
    # And what the commands of this package read.
    'bank_dataloader',
    'eval_dataloader',
    'protocol',
)


@dataclass(frozen=True)
class LoadedModel:
    """A model with its weights, in eval mode, and the way to its input.

    Args:
        cfg: The complete config.
        model: A classifier, or a pre-training model, which has features alone.
        pipeline: Test view: annotation of a clip -> ``inputs`` (K, M, T, V, C) and
            ``data_samples``, without a mask.
        source_layout: Layout of the joints that the pipeline takes, None where no
            transform names one.
        layout: Layout of the joints that the model takes, which is another one where
            the pipeline maps.
        classes: Names of the classes, None where the weights do not tell.
    """

    cfg: Config
    model: BaseRecognizer
    pipeline: Compose
    source_layout: SkeletonLayout | None
    layout: SkeletonLayout | None
    classes: tuple[str, ...] | None


def load_model(
    config: str | os.PathLike | Config,
    weights: str | os.PathLike,
    device: str | torch.device | None = None,
    cfg_options: dict | None = None,
) -> LoadedModel:
    """Builds the model of a config and gives it the weights of a checkpoint.

    A k-NN config gets its bank of labelled clips too, from its annotation file.

    Args:
        config: A config, its path, or the bare name of a config of this package.
        weights: A checkpoint that this config, or the pre-training of its backbone,
            has left.
        device: Where the model goes; by default a GPU if there is one.
        cfg_options: Settings to override, ``{'model.cls_head.k': 5}``.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: An option is no setting; the checkpoint is damaged, lacks weights of
            the model, has them in another shape or of another number of attention
            heads; or the config names no test pipeline.
    """
    if not isinstance(config, Config):
        config = Config.fromfile(find_config(config))
    if cfg_options:
        config = copy.deepcopy(config)  # it is the caller's
        override(config, cfg_options)
    if 'eval_dataloader' not in config:
        raise ValueError(
            f'{config.filename} has no eval_dataloader, whose pipeline makes the input '
            'of the model. The configs of configs/_base_/datasets set one.'
        )
    init_default_scope(config.get('default_scope', 'mmaction'))
    model = MODELS.build(config.model)
    checkpoint = read_weights(weights)
    try:
        result = model.load_state_dict(
            checkpoint.get('state_dict', checkpoint), strict=False
        )
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f'{weights} does not fit the model of {config.filename}: {error}'
        ) from error
    refuse_missing(result.missing_keys, weights)
    refuse_other_heads(model.named_children(), checkpoint, weights)
    model.to(device or get_device()).eval()
    # Those of joined data sets are tested alike.
    pipeline = Compose(parts_of(config.eval_dataloader.dataset)[0].pipeline)
    meta = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    if isinstance(getattr(model, 'cls_head', None), KNNHead):
        bank = Runner.build_dataloader(config.bank_dataloader, seed=0)
        fill_bank(model, bank)
        meta = bank.dataset.metainfo
    source_layout, layout = layouts_of(pipeline)
    classes = meta.get('classes')
    classes = None if classes is None else tuple(classes)
    return LoadedModel(config, model, pipeline, source_layout, layout, classes)


def read_weights(path: str | os.PathLike) -> dict:
    """Reads a checkpoint, from wherever MMEngine reads one.

    Raises:
        OSError: There is none, or it cannot be reached.
        MemoryError: It is larger than what is free.
        ValueError: It is damaged or no checkpoint.
    """
    try:
        checkpoint = CheckpointLoader.load_checkpoint(os.fspath(path), 'cpu')
    except (ImportError, MemoryError, OSError):
        raise
    # A damaged file can raise nearly anything.
    except Exception as error:
        if "can't allocate memory" in str(error):  # torch's words
            raise MemoryError(f'{path} was not read: {error}') from error
        reason = f'it is damaged or no checkpoint: {str(error) or type(error).__name__}'
        if stray := re.search(r'GLOBAL (\S+)', str(error)):  # torch's words
            reason = (
                f'it refers to {stray[1]}, which no weights need: it could run code'
            )
        raise ValueError(f'{path} was not read, {reason}') from error
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'{path} holds a {type(checkpoint).__name__}, not a dict with weights.'
        )
    return checkpoint


def seed_of(cfg: Config) -> int:
    """The seed of a config; 0 where it names none, as MMAction2's own do not."""
    return (cfg.get('randomness') or {}).get('seed') or 0


def override(cfg: Config, options: Mapping[str, object] | None) -> None:
    """Overrides settings of a config, ``{'optim_wrapper.optimizer.lr': 1e-3}``.

    Raises:
        ValueError: The first part of a key is no setting of MMEngine's runner or of
            this package's commands. MMEngine would take it, and nobody would read it.
    """
    options = options or {}
    settings = {*inspect.signature(Runner).parameters, *_RUNNER_SETTINGS}
    for key in options:
        first = key.partition('.')[0]
        if first in cfg and first not in settings:
            raise ValueError(
                f'{key} would change nothing: {cfg.filename or "the config"} was put '
                f'together by {first}, which is not read any more. Set what it was put '
                'into, for example train_dataloader.dataset.dataset.pipeline.4.'
                'mask_ratio, or change it in a config file, which code of your own may '
                'read too.'
            )
        if first not in settings:
            raise ValueError(
                f'{key} is no setting of {cfg.filename or "the config"}, which has no '
                f'{first}.{_close_to(first, settings)}'
            )
    cfg.merge_from_dict(options)


def find_config(config: str | os.PathLike, folder: Path | None = None) -> Path:
    """The config file of this path, or of this bare name in a folder.

    Args:
        config: Path or name.
        folder: It is searched with its subfolders; that of the package by default.

    Raises:
        FileNotFoundError: There is none. The message names what comes close.
    """
    path, folder = Path(config), folder or shipped('configs')
    if path.is_file():
        return path
    configs = {
        file.stem: file for file in folder.rglob('*.py') if '_base_' not in file.parts
    }
    name = path.name.removesuffix('.py')
    if len(path.parts) == 1 and name in configs:
        return configs[name]
    raise FileNotFoundError(
        f'There is no config {config}, neither as a file nor by name in '
        f'{folder}.{_close_to(name, configs)}'
    )


def _close_to(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3)
    return f' Did you mean {" or ".join(close)}?' if close else ''
