import math

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.optim import Optimizer


@HOOKS.register_module()
class EMATeacherHook(Hook):
    """Moves the teacher after every optimizer step, and only then.

    Steps of gradient accumulation and steps that a loss scaler skipped do not count.
    The momentum goes from ``momentum`` to ``end_momentum`` along a half cosine over the
    optimizer steps of the run, so that it is the same with one GPU or eight, with
    accumulation or without. The model decides what its teacher is, in
    ``update_teacher(momentum)``.

    Args:
        momentum (float): m of t <- t + m (s - t) at the start, a small number.
        end_momentum (float): m at the end.

    Raises:
        ValueError: If a momentum does not lie in 0..1.
    """

    def __init__(self, momentum: float = 0.004, end_momentum: float = 0.0) -> None:
        for name, value in (('momentum', momentum), ('end_momentum', end_momentum)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name}={value} must lie between 0 and 1.')
        self.momentum = momentum
        self.end_momentum = end_momentum
        self._stepped = False

    def before_train(self, runner: Runner) -> None:
        """Watch the optimizer; a teacher that was not resumed starts as a copy."""
        runner.optim_wrapper.optimizer.register_step_post_hook(self._mark_step)
        if not runner._resume:
            unwrap(runner).update_teacher(1.0)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Update the teacher if the optimizer moved."""
        if not self._stepped:
            return
        self._stepped = False
        momentum = self.momentum_at(runner)
        unwrap(runner).update_teacher(momentum)
        runner.message_hub.update_scalar('train/teacher_momentum', momentum)

    def momentum_at(self, runner: Runner) -> float:
        """The momentum of the optimizer step that has just been made."""
        accumulation = runner.optim_wrapper._accumulative_counts
        steps = math.ceil(runner.max_iters / accumulation)
        progress = (runner.iter // accumulation) / max(steps - 1, 1)
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return self.end_momentum + (self.momentum - self.end_momentum) * cosine

    def _mark_step(self, optimizer: Optimizer, *_: object) -> None:
        # Optimizers with fused kernels are called for skipped steps too, and told.
        found_inf = getattr(optimizer, 'found_inf', None)
        self._stepped = found_inf is None or not bool(found_inf)


@HOOKS.register_module()
class TeacherCheckHook(Hook):
    """Refuses to train a model with a teacher that nothing moves.

    A list ``custom_hooks`` of a config replaces that of its base, EMATeacherHook too.
    """

    def before_train(self, runner: Runner) -> None:
        """Look for the hook.

        Raises:
            ValueError: There is none.
        """
        driven = any(isinstance(hook, EMATeacherHook) for hook in runner.hooks)
        if hasattr(unwrap(runner), 'update_teacher') and not driven:
            raise ValueError(
                'custom_hooks has no EMATeacherHook, so that the teacher of FDMAE '
                'would stay as it starts. A list of a config replaces that of its '
                'base: write custom_hooks = [*_base_.custom_hooks, ...].'
            )


def unwrap(runner: Runner):
    """The runner's model without its wrapper for distributed training."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
