from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import NamedTuple

import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmengine.registry import FUNCTIONS
from torch import Tensor
from torch._utils import ExceptionWrapper
from torch.utils.data import get_worker_info


@FUNCTIONS.register_module()
def stacked_transfer(samples: Sequence[dict]) -> Batch | dict:
    """A batch as ``pseudo_collate`` makes it, which leaves a worker in few tensors.

    Every tensor that goes from one process to another is a file of shared memory, to
    be opened by the process that trains. Inputs, labels and masks of a batch are four
    of them, in place of four for each clip. They are copied to the device as they
    arrive, and are pinned before where the loader has ``pin_memory=True``.

    Args:
        samples (Sequence[dict]): What the pipeline packed, ``inputs`` and
            ``data_samples``.

    Returns:
        Batch | dict: ``inputs``, a list of tensors, and ``data_samples``, a list. A
        dict where another transform has packed the samples.
    """
    batch = pseudo_collate(samples)
    return Batch(batch) if packed(batch) else batch


class Stacks(NamedTuple):
    """A batch in few tensors.

    Tensors of one name are stacked where all samples have it in one shape and type.

    Attributes:
        inputs (Tensor | list[Tensor]): The clips, (B, K, M, T, V, C), or one by one.
        samples (list[ActionDataSample]): What is not stacked of each.
        values (dict[str, Tensor]): What is stacked, by name, (B, ...).
    """

    inputs: Tensor | list[Tensor]
    samples: list[ActionDataSample]
    values: dict[str, Tensor]

    @classmethod
    def of(cls, batch: object) -> Stacks | None:
        """Stack a batch, which stays as it is.

        None where it is not as ``PackActionInputs`` and ``pseudo_collate`` make it.
        """
        if isinstance(batch, Batch):
            return batch.stacks
        if not packed(batch):
            return None
        inputs, samples = batch['inputs'], batch['data_samples']
        stacked = {}
        for key in samples[0].keys():
            values = [sample.get(key) for sample in samples]
            if stackable(values):
                stacked[key] = torch.stack(values)
        rest = [
            remade(sample, {k: v for k, v in sample.items() if k not in stacked})
            for sample in samples
        ]
        inputs = torch.stack(inputs) if stackable(inputs) else inputs
        return cls(inputs, rest, stacked)

    @property
    def tensors(self) -> list[Tensor]:
        """All that was stacked, and the clips that could not be."""
        inputs = [self.inputs] if isinstance(self.inputs, Tensor) else self.inputs
        return [*inputs, *self.values.values()]

    def pin_memory(self) -> Stacks:
        """The same in memory that a GPU reads while the host goes on."""
        if isinstance(self.inputs, Tensor):
            inputs = self.inputs.pin_memory()
        else:
            inputs = [clip.pin_memory() for clip in self.inputs]
        values = {key: value.pin_memory() for key, value in self.values.items()}
        return Stacks(inputs, self.samples, values)

    def unstacked(self) -> dict:
        """The batch again; its tensors are views of those that were stacked."""
        values = {key: value.unbind() for key, value in self.values.items()}
        samples = [
            remade(sample, dict(sample.items()) | {k: v[i] for k, v in values.items()})
            for i, sample in enumerate(self.samples)
        ]
        return dict(inputs=list(self.inputs), data_samples=samples)


class Batch(MutableMapping):
    """A collated batch, whose tensors are sent to another process and pinned stacked.

    It is read and written as the dict of ``pseudo_collate``, whose lists are made of
    the stacked tensors when they are first asked for. A data preprocessor that takes
    :attr:`stacks` never needs them.

    Args:
        batch (Mapping | Stacks): ``inputs`` and ``data_samples``, or both stacked.
    """

    def __init__(self, batch: Mapping | Stacks) -> None:
        stacked = isinstance(batch, Stacks)
        self._stacks = batch if stacked else None
        self._lists = {} if stacked else dict(batch)

    @property
    def stacks(self) -> Stacks | None:
        """The batch in few tensors; None where what was written into it cannot be."""
        return self._stacks or Stacks.of(self._lists)

    def pin_memory(self) -> Batch:
        """What the data loader asks for with ``pin_memory=True``."""
        stacks = self.stacks
        return self if stacks is None else Batch(stacks.pin_memory())

    def __getitem__(self, key: str) -> list:
        return self._unstacked()[key]

    def __setitem__(self, key: str, value: object) -> None:
        self._unstacked()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._unstacked()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._unstacked())

    def __len__(self) -> int:
        return len(self._unstacked())

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self._unstacked()})'

    def __reduce__(self) -> tuple[Callable, tuple]:
        stacks = self.stacks
        if stacks is None or get_worker_info() is None:
            return Batch, (stacks or self._lists,)
        try:
            for tensor in stacks.tensors:
                tensor.share_memory_()
        except RuntimeError as error:
            # The queue of the worker, which would share them otherwise, prints such an
            # error and drops the batch, and training waits for it for ever.
            reason = RuntimeError(
                f'A batch was not handed over: {error}. Give /dev/shm more room '
                '(docker run --shm-size=8g), or lower num_workers of the data loader.'
            )
            return ExceptionWrapper, ((RuntimeError, reason, None), 'in a data worker')
        return Batch, (stacks,)

    def _unstacked(self) -> dict:
        if self._stacks is not None:
            self._lists = self._stacks.unstacked()
            self._stacks = None  # what is written from now on is in the lists alone
        return self._lists


def remade(sample: ActionDataSample, data: dict) -> ActionDataSample:
    """A new sample with the metainfo of another."""
    return type(sample)(metainfo=sample.metainfo, **data)


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
