import random

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Makes all randomness of an epoch a function of (seed, rank, epoch).

    A run that is resumed at the start of an epoch then draws the same crops, masks and
    dropout as one that never stopped, bit for bit. Data loaders with workers must start
    them anew each epoch (``persistent_workers=False``) and leave their seeds to PyTorch
    (``worker_init_fn=dict(type='torch_seeded_worker')``): MMEngine's own worker seeding
    repeats the same random numbers in every epoch.
    """

    priority = 'VERY_HIGH'

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
