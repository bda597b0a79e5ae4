from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .ema_teacher_hook import unwrap


@HOOKS.register_module()
class LoadedWeightsHook(Hook):
    """Refuses to test weights that neither the checkpoint nor training has set.

    MMEngine loads what fits and warns of the rest, so that a pre-training checkpoint
    would be tested with a head of random numbers.
    """

    def __init__(self) -> None:
        self._missing: list[str] = []
        self._source = ''

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note which weights of the model the checkpoint lacks."""
        loaded = checkpoint.get('state_dict', checkpoint)
        self._missing = [n for n in unwrap(runner).state_dict() if n not in loaded]
        self._source = str(runner._load_from)

    def before_train(self, runner: Runner) -> None:
        """What is trained need not have been loaded."""
        self._missing = []

    def before_test(self, runner: Runner) -> None:
        """Raise if weights are missing."""
        self._check()

    def before_val(self, runner: Runner) -> None:
        """Raise if weights are missing."""
        self._check()

    def _check(self) -> None:
        if self._missing:
            some = ', '.join(self._missing[:4])
            more = ', ...' if len(self._missing) > 4 else ''
            raise RuntimeError(
                f'{self._source} has no weights for {some}{more} '
                f'({len(self._missing)} in all): a test would print a random number. '
                f'A pre-training checkpoint has no trained head: train one with a '
                f'config of configs/benchmarks/linear or finetune (--cfg-options '
                f'model.backbone.init_cfg.checkpoint=CHECKPOINT), or test it as it is '
                f'with configs/benchmarks/knn.'
            )
