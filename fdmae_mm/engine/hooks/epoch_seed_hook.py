import logging
import random

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_gather, get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import FUNCTIONS
from mmengine.runner import EpochBasedTrainLoop, Runner


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Makes all randomness of an epoch a function of (seed, rank, epoch).

    A run that is resumed at the start of an epoch then draws the same crops, masks and
    dropout as one that never stopped, bit for bit. Data loaders with workers must start
    them anew each epoch (``persistent_workers=False``) and leave their seeds to PyTorch
    (``worker_init_fn=dict(type='torch_seeded_worker')``): MMEngine's own worker seeding
    repeats the same random numbers in every epoch.

    Raises:
        ValueError: If the run is resumed from epochs of another number of steps, or its
            processes from different checkpoints.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Refuse to go on from epochs of another length.

        Schedules count steps: those of the learning rate would not end with the run,
        that of the teacher would turn back. Processes that went on from different
        steps would average the gradients of different models.
        """
        done = [int(steps) for steps in all_gather(torch.tensor(runner.iter))]
        if len(set(done)) > 1:
            raise ValueError(
                f'The processes go on from steps {done}: --resume found other '
                'checkpoints on other machines. Put the work directory on a disk that '
                'all of them see, or copy the last checkpoint to each.'
            )
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        steps = len(runner.train_dataloader)
        if runner.iter != runner.epoch * steps:
            raise ValueError(
                f'The checkpoint was written after {runner.iter} steps in '
                f'{runner.epoch} epochs, and an epoch of this run has {steps}. Resume '
                'with the same data, and with processes times '
                'train_dataloader.batch_size as they were; or start a run with its '
                'weights by load_from, without resume.'
            )
        if runner.epoch >= runner.max_epochs:
            print_log(
                f'The checkpoint is of epoch {runner.epoch}, and the run of '
                f'{runner.max_epochs}: there is nothing left to train. '
                'train_cfg.max_epochs, and the ends of param_scheduler, say otherwise.',
                logger='current',
                level=logging.WARNING,
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed random, numpy and torch, before the epoch's workers start."""
        sequence = np.random.SeedSequence([runner.seed, get_rank(), runner.epoch])
        seeds = sequence.generate_state(3)
        random.seed(int(seeds[0]))
        np.random.seed(seeds[1])
        torch.manual_seed(int(seeds[2]))


@FUNCTIONS.register_module()
def torch_seeded_worker(worker_id: int) -> None:
    """Keep the seeds that PyTorch gave this worker; they differ by epoch and worker."""
