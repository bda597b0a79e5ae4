from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch._utils import ExceptionWrapper
from torch.utils.data import get_worker_info


@FUNCTIONS.register_module()
def stacked_transfer(samples: Sequence[dict]) -> dict:
    """A batch as ``pseudo_collate`` makes it, which leaves a worker in few tensors.

    Every tensor that goes from one process to another is a file of shared memory, to
    be opened by the process that trains. Inputs, labels and masks of a batch are four
    of them, in place of four for each clip.

    Args:
        samples (Sequence[dict]): What the pipeline packed, ``inputs`` and
            ``data_samples``.

    Returns:
        dict: ``inputs``, a list of tensors, and ``data_samples``, a list.
    """
    return Batch(pseudo_collate(samples))


class Batch(dict):
    """A collated batch that is pickled with its tensors stacked, where they can be."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        if not packed(self):  # by another transform, or views of a test
            return dict, (dict(self),)
        inputs, samples, stacked = stack(self)
        if get_worker_info() is None:
            return unstacked, (inputs, samples, stacked)
        tensors = [inputs] if isinstance(inputs, Tensor) else inputs
        try:
            for tensor in (*tensors, *stacked.values()):
                tensor.share_memory_()
        except RuntimeError as error:
            # The queue of the worker, which would share them otherwise, prints such an
            # error and drops the batch, and training waits for it for ever.
            reason = RuntimeError(
                f'A batch was not handed over: {error}. Give /dev/shm more room '
                '(docker run --shm-size=8g), or lower num_workers of the data loader.'
            )
            return ExceptionWrapper, ((RuntimeError, reason, None), 'in a data worker')
        return unstacked, (inputs, samples, stacked)


def stack(
    batch: dict,
) -> tuple[Tensor | list, list[ActionDataSample], dict[str, Tensor]]:
    """A batch in few tensors: its inputs, what each sample keeps, and what is stacked.

    Tensors of one name are stacked where all samples have it in one shape and type. The
    batch stays as it is; :func:`unstacked` makes it again.
    """
    samples = [sample.clone() for sample in batch['data_samples']]
    stacked = {}
    for key in samples[0].keys():
        values = [sample.get(key) for sample in samples]
        if stackable(values):
            stacked[key] = torch.stack(values)
            for sample in samples:
                sample.pop(key)
    inputs = batch['inputs']
    inputs = torch.stack(inputs) if stackable(inputs) else inputs
    return inputs, samples, stacked


def packed(batch: object) -> bool:
    """Whether a batch is as ``PackActionInputs`` and ``pseudo_collate`` make it."""
    return (
        isinstance(batch, dict)
        and batch.keys() == {'inputs', 'data_samples'}
        and all(isinstance(batch[key], list) for key in batch)
        and all(isinstance(value, Tensor) for value in batch['inputs'])
        and all(isinstance(s, ActionDataSample) for s in batch['data_samples'])
    )


def stackable(values: list) -> bool:
    """Whether all are tensors, of one shape and type."""
    return (
        all(isinstance(value, Tensor) for value in values)
        and len({(value.shape, value.dtype) for value in values}) == 1
    )


def unstacked(
    inputs: Tensor | list, samples: list[ActionDataSample], stacked: dict[str, Tensor]
) -> dict:
    """The batch again; its tensors are views of those that were stacked."""
    for key, values in stacked.items():
        for sample, value in zip(samples, values, strict=True):
            sample.set_data({key: value})
    return dict(inputs=list(inputs), data_samples=samples)
