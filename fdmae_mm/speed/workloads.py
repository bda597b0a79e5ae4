"""What can be timed: training steps, inference, transforms, and code of others."""

from __future__ import annotations

import copy
import itertools
import os
import runpy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmaction.registry import DATASETS, LOOPS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import EpochBasedTrainLoop, Runner

from ..apis.commands import enable_amp
from ..datasets.annotation import save_annotation
from ..datasets.skeleton_dataset import parts_of
from ..datasets.transforms import BaseSkeletonMasking
from .cost import flop_counter
from .timing import CudaClock, HostClock, Parts

#: What belongs to no other part of a step.
REST = 'rest'
#: Method of a training runner -> the part of a step that its calls are.
TRAIN_PARTS = {
    'train_loop.next_batch': 'data',
    'model.data_preprocessor.forward': 'data',
    'model.backbone.forward_tokens': 'encoder',
    'model.backbone.forward': 'encoder',
    'model.decoder.forward': 'decoder',
    'model.teacher_cells': 'momentum path',
    'model.head_losses': 'targets and losses',
    'model.cls_head.loss': 'targets and losses',
    'model.parse_losses': 'targets and losses',
    'optim_wrapper.backward': 'backward',
    'optim_wrapper.step': 'optimizer',
    'optim_wrapper.zero_grad': 'optimizer',
    'model.update_teacher': 'EMA',
    'call_hook': 'hooks',
}
#: The same where a compiled step can be looked at from the outside alone.
COMPILED_PARTS = {
    'train_loop.next_batch': 'data',
    'model.train_step': 'compiled step',
    'model.update_teacher': 'EMA',
    'call_hook': 'hooks',
}
INFERENCE_PARTS = {
    'data_preprocessor.forward': 'data',
    'backbone.forward': 'encoder',
    'cls_head.forward': 'head',
}
#: What a config tells the runner of training, beside data, loop and logging.
RUNNER_KEYS = (
    'model',
    'optim_wrapper',
    'param_scheduler',
    'auto_scale_lr',
    'default_hooks',
    'custom_hooks',
    'env_cfg',
    'log_processor',
    'randomness',
    'default_scope',
)
#: Second persons are spread over so many.
SYNTHETIC_CLIPS = 96
#: FLOPs are counted over so many clips or more, for persons in their proportion.
COUNTED_CLIPS = 12


class Flops(NamedTuple):
    """Operations of one clip, forward and of the whole step; None where not known."""

    forward: float | None = None
    step: float | None = None


@dataclass(frozen=True)
class Script:
    """Code of others.

    Args:
        name: What the tables call it.
        path: Python file with ``make_step(batch_size, device)``, which returns a
            function of no arguments that makes one step.
        batch_size: Clips a step.
        device: ``'cpu'`` or ``'cuda'``.
        amp: Run its steps under autocast to bfloat16, as those beside it.
    """

    name: str
    path: str | os.PathLike
    batch_size: int
    device: str = 'cpu'
    amp: bool = False

    def build(self, clock: HostClock | CudaClock) -> ScriptStep:
        """The workload.

        Raises:
            ValueError: The file has no ``make_step``.
        """
        return ScriptStep(self, clock)


@dataclass(frozen=True)
class Setting:
    """What is timed of a config.

    Args:
        name: What the tables call it.
        cfg: The complete config.
        what: ``'train'``: training steps, as the runner makes them. ``'inference'``:
            ``test_step`` of a classifier, its clips at hand. ``'data'``: the training
            pipeline, sample by sample.
        batch_size: Clips a step; 1 of ``'data'``.
        persons: Share of synthetic clips with a second person.
        data: ``'synthetic'``: clips that are made here, in the shape that the config
            takes; ``'own'``: those of its annotation file.
        device: ``'cpu'`` or ``'cuda'``. Transforms run on the host.
        amp: Autocast to bfloat16, as ``tools/train.py --amp`` does.
        compile: ``torch.compile`` the step, as ``compile=True`` in a config does.
        workers: Processes that load data of training; 0: the training process.
        steps: Of training that will be made, so that the data need no new start.
    """

    name: str
    cfg: Config
    what: str = 'train'
    batch_size: int = 1
    persons: float = 1 / 6
    data: str = 'synthetic'
    device: str = 'cpu'
    amp: bool = False
    compile: bool = False
    workers: int = 0
    steps: int = 1

    def build(self, clock: HostClock | CudaClock) -> TrainStep | Inference | Transforms:
        """The workload.

        Raises:
            ValueError: The config has no such workload.
        """
        init_default_scope(self.cfg.get('default_scope', 'mmaction'))
        kinds = dict(train=TrainStep, inference=Inference, data=Transforms)
        return kinds[self.what](self, clock)

    def loader(self, name: str, folder: str) -> ConfigDict:
        """A loader of the config, for the clips and the batch size of this setting.

        Args:
            name: ``'train_dataloader'`` or ``'eval_dataloader'``.
            folder: Where a file of synthetic clips may go.
        """
        loader = copy.deepcopy(self.cfg.get(name))
        if loader is None:
            raise ValueError(f'{self.cfg.filename} has no {name}.')
        loader.update(batch_size=self.batch_size, num_workers=self.workers)
        loader.persistent_workers = False
        if self.data == 'synthetic':
            dataset = parts_of(loader.dataset)[0]
            clips = synthetic_clips(
                # 25 for the stock configs, of NTU RGB+D, which do not say it.
                dataset.get('num_joints', 25),
                self.cfg.model.backbone.get('in_channels', 3),
                self.persons,
            )
            # These are of two classes, and a step takes as long whatever they are.
            for key in ('classes', 'label_share'):
                dataset.pop(key, None)
            dataset.ann_file = str(Path(folder, f'{name}.pkl'))
            names = [clip['frame_dir'] for clip in clips]
            split = {dataset.get('split') or 'all': names}
            save_annotation(dict(split=split, annotations=clips), dataset.ann_file)
            times = -(-self.steps * self.batch_size // len(clips))
            loader.dataset = dict(type='RepeatDataset', times=times, dataset=dataset)
            loader.sampler = dict(type='DefaultSampler', shuffle=False)
        return loader


def synthetic_clips(num_joints: int, channels: int, persons: float) -> list[dict]:
    """Annotations of bodies that drift at random, always the same ones.

    A clip has 60 to 140 frames. Those with a second person are spread evenly.

    Args:
        num_joints: V.
        channels: C, coordinates of a joint.
        persons: Share of clips with a second person, 0..1.

    Raises:
        ValueError: ``persons`` is out of range.
    """
    if not 0 <= persons <= 1:
        raise ValueError(f'persons={persons} must be a share of clips, from 0 to 1.')
    rng = np.random.default_rng(0)
    clips = []
    for index in range(SYNTHETIC_CLIPS):
        # What rounding takes from 1/6 must not move a person to the next clip.
        second = int((index + 1) * persons + 1e-9) - int(index * persons + 1e-9)
        frames = int(rng.integers(60, 141))
        pose = rng.normal(size=(2, 1, num_joints, channels))
        drift = rng.normal(scale=0.02, size=(2, frames, num_joints, channels))
        keypoint = (pose + drift.cumsum(axis=1))[: 1 + second].astype(np.float32)
        clips.append(
            dict(
                frame_dir=f'clip{index}',
                label=index % 2,
                keypoint=keypoint,
                total_frames=frames,
            )
        )
    return clips


@LOOPS.register_module()
class SingleStepLoop(EpochBasedTrainLoop):
    """A training loop that stops before its first step and makes one when asked."""

    def run(self) -> torch.nn.Module:
        """Prepare the first epoch."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        epochs = itertools.repeat(self.dataloader)
        self._batches = itertools.chain.from_iterable(epochs)
        return self.runner.model

    def next_batch(self) -> dict:
        """The next batch of the loader."""
        return next(self._batches)

    def step(self) -> None:
        """One step of training, with all its hooks."""
        self.run_iter(self._iter, self.next_batch())


class TrainStep:
    """Training steps of a config, made by MMEngine's runner and the config's hooks."""

    def __init__(self, setting: Setting, clock: HostClock | CudaClock) -> None:
        cfg = copy.deepcopy(setting.cfg)
        if cfg.get('optim_wrapper') is None:
            raise ValueError(f'{cfg.filename} has no optim_wrapper: it does not train.')
        # Weights make no difference, and a checkpoint may not be there yet.
        cfg.model.backbone.pop('init_cfg', None)
        if setting.amp:
            enable_amp(cfg)
        # An attribute, as the folder goes when the object does.
        self._folder = tempfile.TemporaryDirectory()
        self.clips = setting.batch_size
        # Not from_cfg, which spends seconds on printing the config.
        self.runner = Runner(
            train_dataloader=setting.loader('train_dataloader', self._folder.name),
            train_cfg=dict(
                type='SingleStepLoop', max_epochs=cfg.train_cfg.get('max_epochs', 1)
            ),
            work_dir=self._folder.name,
            experiment_name=Path(self._folder.name).name,
            log_level='ERROR',
            cfg=Config(dict(compile=setting.compile)),
            **{key: cfg[key] for key in RUNNER_KEYS if key in cfg},
        )
        self.runner.train()
        self.runner.model.to(setting.device)
        self.parts = Parts(clock)
        if not setting.compile and not setting.workers:
            for dataset in parts_of(self.runner.train_dataloader.dataset):
                for transform in dataset.pipeline.transforms:
                    if isinstance(transform, BaseSkeletonMasking):
                        self.parts.wrap(transform, 'transform', 'masks')
        table = COMPILED_PARTS if setting.compile else TRAIN_PARTS
        wrap_all(self.parts, self.runner, table)

    def step(self) -> None:
        """One step."""
        with self.parts.part(REST):
            self.runner.train_loop.step()

    def flops(self) -> Flops:
        """Operations of a clip. The forward pass has the momentum path's too."""
        model, wrapper = self.runner.model, self.runner.optim_wrapper
        batches = -(-COUNTED_CLIPS // self.clips)
        forward = step = 0
        for _ in range(batches):
            batch = self.runner.train_loop.next_batch()
            with flop_counter() as counter:
                with wrapper.optim_context(model):
                    data = model.data_preprocessor(batch, True)
                    losses = model(**data, mode='loss')
                forward += counter.get_total_flops()
                model.parse_losses(losses)[0].backward()
            step += counter.get_total_flops()
            wrapper.zero_grad()
        clips = batches * self.clips
        return Flops(forward / clips, step / clips)


class Inference:
    """``test_step`` of a classifier on batches that are at hand."""

    def __init__(self, setting: Setting, clock: HostClock | CudaClock) -> None:
        cfg = copy.deepcopy(setting.cfg.model)
        cfg.backbone.pop('init_cfg', None)
        self.model = MODELS.build(cfg)
        if getattr(self.model, 'cls_head', None) is None:
            raise ValueError(
                f'{setting.cfg.filename} has no classifier, so there is no inference '
                'to time. Take a config of configs/benchmarks/finetune.'
            )
        # Not init_weights(), which writes a line for each weight.
        self.model.to(setting.device).eval()
        self.clips = setting.batch_size
        with tempfile.TemporaryDirectory() as folder:
            loader = setting.loader('eval_dataloader', folder)
            loader.num_workers = 0
            loader = Runner.build_dataloader(loader, seed=0)
            # All of the synthetic clips, over which second persons are spread.
            count = max(4, -(-SYNTHETIC_CLIPS // self.clips))
            self._batches = itertools.cycle(list(itertools.islice(loader, count)))
        self._autocast = torch.autocast(setting.device, torch.bfloat16, setting.amp)
        self.parts = Parts(clock)
        if setting.compile:
            self.model.test_step = torch.compile(self.model.test_step)
        else:
            wrap_all(self.parts, self.model, INFERENCE_PARTS)

    def step(self) -> None:
        """Classify one batch."""
        with self.parts.part(REST), torch.no_grad(), self._autocast:
            self.model.test_step(next(self._batches))

    def flops(self) -> Flops:
        """Operations of a clip."""
        batches = -(-COUNTED_CLIPS // self.clips)
        with flop_counter() as counter, torch.no_grad():
            for _ in range(batches):
                data = self.model.data_preprocessor(next(self._batches), False)
                self.model(**data, mode='predict')
        flops = counter.get_total_flops() / (batches * self.clips)
        return Flops(flops, flops)


class Transforms:
    """One sample through the training pipeline, from the data set's memory on.

    Of joined sets it is the first one's.
    """

    def __init__(self, setting: Setting, clock: HostClock | CudaClock) -> None:
        self.clips = 1
        with tempfile.TemporaryDirectory() as folder:
            loader = setting.loader('train_dataloader', folder)
            self.dataset = DATASETS.build(parts_of(loader.dataset)[0])
        self._indices = itertools.cycle(range(len(self.dataset)))
        self.parts = Parts(clock)
        self.parts.wrap(self.dataset, 'get_data_info', 'read')
        for transform in self.dataset.pipeline.transforms:
            self.parts.wrap(transform, 'transform', type(transform).__name__)

    def step(self) -> None:
        """Prepare one sample."""
        with self.parts.part(REST):
            self.dataset[next(self._indices)]

    def flops(self) -> Flops:
        """None that torch could count."""
        return Flops()


class ScriptStep:
    """Steps of code of others."""

    def __init__(self, script: Script, clock: HostClock | CudaClock) -> None:
        make_step = runpy.run_path(str(script.path)).get('make_step')
        if make_step is None:
            raise ValueError(
                f'{script.path} has no make_step(batch_size, device) that returns a '
                'function of no arguments which makes one step.'
            )
        self.clips = script.batch_size
        self.parts = Parts(clock)
        self._step: Callable[[], None] = make_step(script.batch_size, script.device)
        self._autocast = torch.autocast(script.device, torch.bfloat16, script.amp)

    def step(self) -> None:
        """One step."""
        with self.parts.part(REST), self._autocast:
            self._step()

    def flops(self) -> Flops:
        """Operations of a clip, of the whole step alone."""
        with flop_counter() as counter, self._autocast:
            self._step()
        return Flops(step=counter.get_total_flops() / self.clips)


def wrap_all(parts: Parts, owner: object, table: dict[str, str]) -> None:
    """Wraps the methods of a table, as far as this model has them."""
    for path, name in table.items():
        *path, method = path.split('.')
        try:
            found = attrgetter('.'.join(path))(owner) if path else owner
        except AttributeError:
            continue
        if hasattr(found, method):
            parts.wrap(found, method, name)
