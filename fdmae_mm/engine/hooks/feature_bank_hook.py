from collections.abc import Iterable

import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.registry import HOOKS
from mmengine.dist import all_gather
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .ema_teacher_hook import unwrap


@torch.no_grad()
def fill_bank(model: BaseRecognizer, batches: Iterable[dict]) -> None:
    """Fill the bank of a :class:`KNNHead` with the features of labelled clips.

    Args:
        model (BaseRecognizer): A recognizer with that head; put into eval mode.
        batches (Iterable[dict]): A data loader; each rank has its share.
    """
    model.eval()
    bank, labels = [], []
    for batch in batches:
        batch = model.data_preprocessor(batch, training=False)
        feats, _ = model.extract_feat(batch['inputs'])
        clips = len(feats) // len(batch['data_samples'])
        label = torch.cat([s.gt_label for s in batch['data_samples']])
        bank.append(model.cls_head.embed(feats))
        labels.append(label.to(feats.device).repeat_interleave(clips))
    # Ranks hold equal shares: DefaultSampler rounds up by repeating clips, which a
    # nearest neighbour does not notice.
    bank = torch.cat(all_gather(torch.cat(bank)))
    model.cls_head.fill(bank, torch.cat(all_gather(torch.cat(labels))))


@HOOKS.register_module()
class FeatureBankHook(Hook):
    """Fills the bank of a :class:`KNNHead` with labelled clips before an evaluation.

    Args:
        dataloader (dict): Config of the loader of the labelled clips, with the
            pipeline of a test.
    """

    def __init__(self, dataloader: dict) -> None:
        self.dataloader = dataloader

    def before_val(self, runner: Runner) -> None:
        """Fill the bank."""
        self._fill(runner)

    def before_test(self, runner: Runner) -> None:
        """Fill the bank."""
        self._fill(runner)

    def _fill(self, runner: Runner) -> None:
        if isinstance(self.dataloader, dict):
            self.dataloader = runner.build_dataloader(self.dataloader, seed=runner.seed)
        fill_bank(unwrap(runner), self.dataloader)
