import torch
from mmaction.models.recognizers import BaseRecognizer
from mmaction.registry import HOOKS
from mmengine.dist import all_gather
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...datasets.skeleton_dataset import refuse_known_clips
from .ema_teacher_hook import unwrap


@torch.no_grad()
def fill_bank(model: BaseRecognizer, batches: DataLoader) -> None:
    """Fill the bank of a :class:`KNNHead` with the features of labelled clips.

    Args:
        model (BaseRecognizer): A recognizer with that head; put into eval mode.
        batches (DataLoader): Each rank has its share, dealt by a DefaultSampler.
    """
    model.eval()
    bank, labels = [], []
    for batch in batches:
        batch = model.data_preprocessor(batch, training=False)
        feats, _ = model.extract_feat(batch['inputs'])
        samples = batch['data_samples']
        bank.append(model.cls_head.embed(feats).unflatten(0, (len(samples), -1)))
        labels.append(torch.cat([s.gt_label for s in samples]).to(feats.device))
    # The sampler deals samples to the ranks in turn and repeats some, so that all have
    # as many; a repeated one would vote twice.
    bank, labels = (
        torch.stack(all_gather(torch.cat(share)), dim=1).flatten(0, 1)[
            : len(batches.dataset)
        ]
        for share in (bank, labels)
    )  # (S, clips, D), (S,)
    model.cls_head.fill(bank.flatten(0, 1), labels.repeat_interleave(bank.shape[1]))


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
        self._fill(runner, runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Fill the bank."""
        self._fill(runner, runner.test_dataloader)

    def _fill(self, runner: Runner, tested: DataLoader) -> None:
        if isinstance(self.dataloader, dict):
            self.dataloader = runner.build_dataloader(self.dataloader, seed=runner.seed)
        refuse_known_clips(self.dataloader.dataset, tested.dataset)
        fill_bank(unwrap(runner), self.dataloader)
