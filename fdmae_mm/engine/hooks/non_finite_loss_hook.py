import math

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stops a run whose loss is NaN or infinite, before a checkpoint is overwritten.

    Nor is a checkpoint written of weights that are: those of all processes are, where
    the loss of one was.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the weights that are about to be written.

        Raises:
            FloatingPointError: With the name of the first.
        """
        bad = [
            name
            for name, value in checkpoint['state_dict'].items()
            if value.is_floating_point() and not value.isfinite().all()
        ]
        if bad:
            last = runner.message_hub.get_info('last_ckpt')
            raise FloatingPointError(
                f'After iteration {runner.iter}, {len(bad)} weights are not finite, '
                f'the first is {bad[0]}: no checkpoint is written. The error of the '
                'process whose loss was not finite names the samples. Last good '
                f'checkpoint: {last}.'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the losses that RuntimeInfoHook has already brought to the host.

        Raises:
            FloatingPointError: With iteration, loss terms and names of the samples.
        """
        values = {
            name: runner.message_hub.get_scalar(f'train/{name}').current()
            for name in outputs
            if 'loss' in name
        }
        bad = {name: v for name, v in values.items() if not math.isfinite(v)}
        if not bad:
            return
        terms = {name: v for name, v in bad.items() if name != 'loss'} or bad
        names = [s.get('frame_dir', '?') for s in data_batch['data_samples']]
        last = runner.message_hub.get_info('last_ckpt')
        raise FloatingPointError(
            f'Iteration {runner.iter + 1}: {terms}. Samples of the batch: '
            f'{", ".join(map(str, names))}. Look for broken coordinates in them, or '
            f'lower the learning rate, or clip gradients. Last good checkpoint: {last}.'
        )
