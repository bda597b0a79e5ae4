import time
from collections.abc import Sequence
from numbers import Number
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ...evaluation.records import make_record, write_record


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
        self._load_from: str | None = None
        self._spent = 0.0
        self._begin = time.monotonic()

    def before_run(self, runner: Runner) -> None:
        """Start the clock, and note the weights that the run starts from."""
        self._begin = time.monotonic()
        if not runner._resume:  # what is resumed started from others
            self._load_from = runner._load_from

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the wall time so far, and the weights that the run started from."""
        checkpoint['meta'].update(seconds=self._seconds(), load_from=self._load_from)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on counting where a resumed run stopped."""
        if runner._resume:
            meta = checkpoint.get('meta', {})
            self._spent = meta.get('seconds', 0.0)
            self._load_from = meta.get('load_from')

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
        metrics = self._metrics or {
            'loss': runner.message_hub.get_scalar('train/loss').mean(50)
        }
        init_cfgs = runner.cfg.model.get('backbone', {}).get('init_cfg') or {}
        if not isinstance(init_cfgs, Sequence):
            init_cfgs = [init_cfgs]
        # Weights that are loaded after the model was initialised replace them.
        starts = [self._load_from, *(init.get('checkpoint') for init in init_cfgs)]
        loader = None if runner.val_loop is None else 'val_dataloader'
        self._write(
            'record.json',
            runner,
            metrics,
            next(filter(None, starts), None),
            loader,
            runner.epoch,
        )

    def after_test(self, runner: Runner) -> None:
        """Write the record of a test."""
        self._write(
            'test_record.json',
            runner,
            self._metrics,
            runner._load_from,
            'test_dataloader',
        )

    @master_only
    def _write(
        self,
        name: str,
        runner: Runner,
        metrics: dict,
        checkpoint: str | None,
        loader: str | None,
        epochs: int = 0,
    ) -> None:
        record = make_record(
            runner.cfg, metrics, self._seconds(), epochs, checkpoint, loader
        )
        # A resumed run goes on with the seed of its checkpoint.
        record['seed'] = runner.seed
        write_record(record, Path(runner.work_dir, name))

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._begin
