import time
from numbers import Number
from pathlib import Path

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ...evaluation.records import made_by, make_record, revision, write_record
from .loaded_weights_hook import initializers


@HOOKS.register_module()
class ResultRecordHook(Hook):
    """Leaves a record in the work directory when a run has ended.

    ``record.json`` is that of training, ``test_record.json`` that of a test. It holds
    the metrics of the last evaluation in %, or the last loss of a pre-training run, and
    what is needed to repeat it; see :func:`make_record`. The wall time counts over
    resumed runs, and stands in the checkpoints.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._metrics: dict[str, float] = {}
        self._start: dict | None = None
        self._revision: str | None = None
        self._spent = 0.0
        self._begin = time.monotonic()

    def before_run(self, runner: Runner) -> None:
        """Start the clock, and note the code and the weights that the run starts from.

        Both may be replaced before it ends.
        """
        self._begin = time.monotonic()
        self._note_start(runner)

    @master_only  # which writes records and checkpoints
    def _note_start(self, runner: Runner) -> None:
        self._revision = revision()
        model = runner.cfg.get('model', {})
        inits = initializers(model.get('backbone', {}).get('init_cfg'))
        starts = [init.get('checkpoint') for init in inits]
        if not runner._resume:  # what is resumed started from others
            # Weights that are loaded after the model was initialised replace them.
            starts.insert(0, runner._load_from)
        start = next(filter(None, starts), None)
        self._start = None if start is None else made_by(start)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the wall time so far, and the weights that the run started from."""
        checkpoint['meta'].update(seconds=self._seconds(), start=self._start)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on counting where a resumed run stopped."""
        if runner._resume:
            meta = checkpoint.get('meta', {})
            self._spent = meta.get('seconds', 0.0)
            self._start = meta.get('start', self._start)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Keep the last metrics that are numbers: accuracies in %, others as they are.

        A confusion matrix, for example, has its own file.
        """
        self._metrics = {
            name.removeprefix('acc/'): value * (100 if name.startswith('acc/') else 1)
            for name, value in metrics.items()
            if isinstance(value, Number)
            or (isinstance(value, Tensor) and not value.ndim)
        }

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Keep the metrics."""
        self.after_val_epoch(runner, metrics)

    def after_train(self, runner: Runner) -> None:
        """Write the record of a training run."""
        # Resumed from its last checkpoint, which stands before the last evaluation.
        if not self._metrics and runner.val_loop is not None:
            runner.val_loop.run()
        metrics = self._metrics
        if not metrics:
            loss = torch.tensor(runner.message_hub.get_scalar('train/loss').mean(50))
            all_reduce(loss, 'mean')  # each process has that of its own clips
            metrics = dict(loss=loss)
        loader = None if runner.val_loop is None else 'val_dataloader'
        self._write('record.json', runner, metrics, loader, runner.epoch)

    def after_test(self, runner: Runner) -> None:
        """Write the record of a test."""
        self._write('test_record.json', runner, self._metrics, 'test_dataloader')

    @master_only
    def _write(
        self,
        name: str,
        runner: Runner,
        metrics: dict,
        loader: str | None,
        epochs: int = 0,
    ) -> None:
        record = make_record(
            runner.cfg, metrics, self._seconds(), epochs, loader=loader
        )
        # A resumed run goes on with the seed of its checkpoint.
        record.update(seed=runner.seed, start=self._start, revision=self._revision)
        write_record(record, Path(runner.work_dir, name))

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._begin
