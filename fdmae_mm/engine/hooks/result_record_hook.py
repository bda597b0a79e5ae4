import time
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

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
        self._spent = 0.0
        self._begin = time.monotonic()

    def before_run(self, runner: Runner) -> None:
        """Start the clock."""
        self._begin = time.monotonic()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note the wall time so far."""
        checkpoint['meta']['seconds'] = self._seconds()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on counting where a resumed run stopped."""
        if runner._resume:
            self._spent = checkpoint.get('meta', {}).get('seconds', 0.0)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Keep the last metrics."""
        self._metrics = {
            name.removeprefix('acc/'): 100 * value for name, value in metrics.items()
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
        init_cfg = runner.cfg.model.get('backbone', {}).get('init_cfg') or {}
        checkpoint = init_cfg.get('checkpoint')
        self._write('record.json', runner, metrics, checkpoint, runner.epoch)

    def after_test(self, runner: Runner) -> None:
        """Write the record of a test."""
        self._write('test_record.json', runner, self._metrics, runner._load_from)

    @master_only
    def _write(
        self,
        name: str,
        runner: Runner,
        metrics: dict,
        checkpoint: str | None,
        epochs: int = 0,
    ) -> None:
        record = make_record(runner.cfg, metrics, self._seconds(), epochs, checkpoint)
        # A resumed run goes on with the seed of its checkpoint.
        record['seed'] = runner.seed
        write_record(record, Path(runner.work_dir, name))

    def _seconds(self) -> float:
        return self._spent + time.monotonic() - self._begin
