import os

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

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
        """Note which weights of the model the checkpoint does not set."""
        loaded = checkpoint.get('state_dict', checkpoint)
        self._missing = [
            name
            for name, value in unwrap(runner).state_dict().items()
            if name not in loaded or loaded[name].shape != value.shape
        ]
        self._source = runner._load_from

    def before_train(self, runner: Runner) -> None:
        """What is trained need not have been loaded."""
        self._missing = []

    def before_test(self, runner: Runner) -> None:
        """Raise if weights are missing."""
        refuse_missing(self._missing, self._source)

    def before_val(self, runner: Runner) -> None:
        """Raise if weights are missing."""
        refuse_missing(self._missing, self._source)
