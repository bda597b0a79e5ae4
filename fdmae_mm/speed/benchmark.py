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
        warmup: Steps of each before.
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
    device = torch.device(settings[0].device)
    first = settings[0]
    host = getattr(first, 'what', None) == 'data' or device.type != 'cuda'
    clock = HostClock() if host else CudaClock()
    workloads, peaks, flops = [], [], []
    for setting in settings:
        before = 0 if host else torch.cuda.memory_allocated()
        workload = setting.build(clock)
        if not host:
            torch.cuda.reset_peak_memory_stats()
        for _ in range(max(warmup, 0 if host else 2)):
            workload.step()
        if not host:
            peaks.append(torch.cuda.max_memory_allocated() - before)
        flops.append(workload.flops())
        workloads.append(workload)
    if host:
        threads = torch.get_num_threads()
        peaks = [peak_growth(s, threads) if memory else None for s in settings]
    for workload in workloads:
        workload.parts.clear()
    seconds = interleave([w.step for w in workloads], rounds, block, clock)
    used = precision(getattr(first, 'amp', False), device)
    peak_rate = None if host else peak_flops(device, used)
    rates = [w.clips / s for w, s in zip(workloads, seconds, strict=True)]
    results = []
    for index, (setting, workload) in enumerate(zip(settings, workloads, strict=True)):
        ms = Spread.of(1e3 * seconds[index])
        parts = workload.parts.seconds()
        total = sum(parts.values())
        count, peak = flops[index], peaks[index]
        rate = Spread.of(rates[index])
        use = count and peak_rate and count.step * rate.median / peak_rate
        results.append(
            dict(
                name=setting.name,
                clips=workload.clips,
                clips_per_s=list(rate),
                ms=list(ms),
                speedup=list(Spread.of(rates[0] / rates[index])),
                parts={
                    name: ms.median * part / total
                    for name, part in sorted(parts.items(), key=lambda item: -item[1])
                },
                gflops_forward=count and count.forward and count.forward / 1e9,
                gflops_step=count and count.step / 1e9,
                flop_use=use,
                peak_mb=None if peak is None else peak / 2**20,
            )
        )
    return dict(
        measured_on(),
        device=device_name(device, host),
        threads=torch.get_num_threads(),
        precision=used,
        rounds=rounds,
        block=block,
        workloads=results,
    )


def device_name(device: torch.device, host: bool) -> str:
    """What the vendor calls it."""
    if not host:
        return torch.cuda.get_device_name(device)
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(':')[1].strip() for line in lines if 'model name' in line]
    return names[0] if names else platform.processor() or platform.machine()
