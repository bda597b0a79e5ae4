"""One run that times workloads beside each other."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from ..evaluation.records import measured_on
from .cost import peak_flops, peak_growth, precision
from .timing import CudaClock, HostClock, Spread, interleave
from .workloads import Script, Setting


def benchmark(
    settings: Sequence[Setting | Script],
    rounds: int = 20,
    warmup: int = 3,
    block: int = 1,
    memory: bool = False,
) -> dict:
    """Times workloads turn by turn.

    Args:
        settings: What is timed; the first is what the others are compared with.
        rounds: Turns of each.
        warmup: Steps of each before, at least 2.
        block: Steps of a turn. On a GPU, more than one lets the host run ahead of it,
            as in training.
        memory: Also the peak memory on a CPU, in a fresh process for each.

    Returns:
        dict: ``device``, ``threads``, ``precision``, ``versions``, ``revision``,
        ``date`` and a list of ``workloads``, each with

        - ``name`` and ``clips``, of a step;
        - ``clips_per_s`` and ``ms`` of a step, [median, first, third quartile] over
          the turns;
        - ``speedup``, the same of clips/s of the first workload over those of this
          one in the same turn;
        - ``parts``: name -> ms of the median step, by the part's share of all steps;
        - ``gflops_forward`` and ``gflops_step`` of a clip, None where not known;
        - ``flop_use``, share of the device's peak, None where that is not known;
        - ``peak_mb``, None where not measured. On a GPU, what torch allocated.
    """
    first = settings[0]
    device = torch.device(first.device)
    host = device.type == 'cpu' or getattr(first, 'what', None) == 'data'
    clock = HostClock() if host else CudaClock()
    used = precision(first.amp, device)
    peak = None if host else peak_flops(device, used)
    workloads, flops, memories = [], [], []
    for setting in settings:
        before = 0 if host else torch.cuda.memory_allocated()
        workload = setting.build(clock)
        if not host:
            torch.cuda.reset_peak_memory_stats()
        # An optimizer allocates its state in the first step, beside all else.
        for _ in range(max(warmup, 2)):
            workload.step()
        if not host:
            memories.append(torch.cuda.max_memory_allocated() - before)
        elif memory:
            memories.append(peak_growth(setting, torch.get_num_threads()))
        else:
            memories.append(None)
        flops.append(workload.flops())
        workload.parts.clear()
        workloads.append(workload)
    seconds = interleave([w.step for w in workloads], rounds, block, clock)
    rates = [w.clips / s for w, s in zip(workloads, seconds, strict=True)]
    rows = []
    for index, (setting, workload) in enumerate(zip(settings, workloads, strict=True)):
        ms = Spread.of(1e3 * seconds[index])
        rate = Spread.of(rates[index])
        forward, step = flops[index]
        use = rate.median * step / peak if step and peak else None
        rows.append(
            dict(
                name=setting.name,
                clips=workload.clips,
                clips_per_s=list(rate),
                ms=list(ms),
                speedup=list(Spread.of(rates[0] / rates[index])),
                parts=_scaled(workload.parts.seconds(), ms.median),
                gflops_forward=forward and forward / 1e9,
                gflops_step=step and step / 1e9,
                flop_use=use,
                peak_mb=memories[index] and memories[index] / 2**20,
            )
        )
    return dict(
        measured_on(),
        device=device_name(device, host),
        threads=torch.get_num_threads(),
        precision=used,
        rounds=rounds,
        block=block,
        workloads=rows,
    )


def _scaled(parts: dict[str, float], total: float) -> dict[str, float]:
    """The parts, largest first, with this sum."""
    scale = total / sum(parts.values())
    ordered = sorted(parts.items(), key=lambda item: -item[1])
    return {name: scale * part for name, part in ordered}


def device_name(device: torch.device, host: bool) -> str:
    """What the vendor calls it."""
    if not host:
        return torch.cuda.get_device_name(device)
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(':')[1].strip() for line in lines if 'model name' in line]
    return names[0] if names else platform.processor() or platform.machine()
