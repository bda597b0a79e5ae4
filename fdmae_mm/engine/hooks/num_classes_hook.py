from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...datasets.skeleton_dataset import parts_of
from .ema_teacher_hook import unwrap


@HOOKS.register_module()
class NumClassesHook(Hook):
    """Refuses a head of another number of classes than the data set has.

    One with too many trains without a word, and its labels have no name. One with too
    few ends a run on a GPU with an assertion of a kernel, which names nothing.

    Raises:
        ValueError: ``metainfo`` of the data set names another number of classes, or
            a label is beyond the head.
    """

    def before_train(self, runner: Runner) -> None:
        """Compare with the data of training."""
        self._check(runner, runner.train_dataloader)

    def before_val(self, runner: Runner) -> None:
        """Compare with the data of validation."""
        self._check(runner, runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Compare with the data of the test."""
        self._check(runner, runner.test_dataloader)

    def _check(self, runner: Runner, dataloader: DataLoader) -> None:
        head = getattr(unwrap(runner), 'cls_head', None)
        expected = getattr(head, 'num_classes', None)
        classes = getattr(dataloader.dataset, 'metainfo', {}).get('classes')
        if expected is not None and classes and len(classes) != expected:
            raise ValueError(
                f'model.cls_head.num_classes={expected}, but the data set names '
                f'{len(classes)} classes ({", ".join(map(str, classes[:3]))}, ...). '
                f'Set model.cls_head.num_classes={len(classes)}, or take the config of '
                'this data set.'
            )
        labels = [
            getattr(part, 'max_label', 0) for part in parts_of(dataloader.dataset)
        ]
        if expected is not None and max(labels) >= expected:
            raise ValueError(
                f'model.cls_head.num_classes={expected}, but the data set has label '
                f'{max(labels)}, and they count from 0. Set '
                f'model.cls_head.num_classes={max(labels) + 1} or more, or take the '
                'config of this data set.'
            )
