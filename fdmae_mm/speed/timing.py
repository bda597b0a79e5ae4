"""Clocks, the parts of a step, and workloads that are timed turn by turn."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch


class HostClock:
    """Wall time of this process."""

    def mark(self) -> float:
        """This moment."""
        return time.perf_counter()

    def seconds(self, begin: float, end: float) -> float:
        """From one mark to another."""
        return end - begin

    def synchronize(self) -> None:
        """Nothing runs beside this process."""


class CudaClock:
    """Time on the GPU's stream. Marks are events, so that taking one waits for nothing.

    Marks may be read after :meth:`synchronize`. What the host does while the GPU is
    busy with earlier work takes no time here, as it takes none in training.
    """

    def mark(self) -> torch.cuda.Event:
        """This place in the stream."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, begin: torch.cuda.Event, end: torch.cuda.Event) -> float:
        """From one mark to another."""
        return begin.elapsed_time(end) / 1e3

    def synchronize(self) -> None:
        """Wait until the GPU has nothing left to do."""
        torch.cuda.synchronize()


class Parts:
    """Which part of a step the time goes to.

    Parts nest, and an inner part's time is not the outer one's too: so the parts of a
    step add up to the step, and what belongs to no other part is the outermost one's.

    Args:
        clock: A :class:`HostClock`, a :class:`CudaClock`, or the like.
    """

    def __init__(self, clock: HostClock | CudaClock) -> None:
        self.clock = clock
        self._open: list[str | None] = [None]
        self._marks: list[tuple[object, str | None]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What runs inside belongs to this part."""
        self._switch(self._open.append, name)
        try:
            yield
        finally:
            self._switch(self._open.pop)

    def wrap(self, owner: object, method: str, name: str) -> None:
        """Makes all calls of a method of this one object belong to a part."""
        function = getattr(owner, method)

        @functools.wraps(function)
        def timed(*args: object, **kwargs: object) -> object:
            with self.part(name):
                return function(*args, **kwargs)

        setattr(owner, method, timed)

    def clear(self) -> None:
        """Forget all marks."""
        self._marks.clear()

    def seconds(self) -> dict[str, float]:
        """Total of each part since :meth:`clear`; synchronize the clock before."""
        totals = Counter()
        for (begin, name), (end, _) in pairwise(self._marks):
            if name is not None:
                totals[name] += self.clock.seconds(begin, end)
        return dict(totals)

    def _switch(self, change: Callable, *args: str) -> None:
        change(*args)
        self._marks.append((self.clock.mark(), self._open[-1]))


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Spread:
        """Of these values."""
        low, median, high = np.percentile(values, [25, 50, 75])
        return cls(float(median), float(low), float(high))


def interleave(
    steps: Sequence[Callable[[], None]],
    rounds: int,
    block: int,
    clock: HostClock | CudaClock,
) -> np.ndarray:
    """Times steps turn by turn, so that a slow moment of the machine meets them all.

    The order is reversed from round to round.

    Args:
        steps: What is timed.
        rounds: How often.
        block: Steps of one kind in a row, between two synchronisations of the clock.
        clock: What measures.

    Returns:
        Seconds a step, shape (len(steps), rounds).
    """
    seconds = np.empty((len(steps), rounds))
    order = list(range(len(steps)))
    for number in range(rounds):
        for index in order:
            clock.synchronize()
            begin = clock.mark()
            for _ in range(block):
                steps[index]()
            end = clock.mark()
            clock.synchronize()
            seconds[index, number] = clock.seconds(begin, end) / block
        order.reverse()
    return seconds
