"""What a step costs beside time: floating point operations and memory."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from .timing import HostClock

if TYPE_CHECKING:
    from .workloads import Script, Setting

#: Dense peak in FLOP/s, by the device's name and the precision. The vendor's figures
#: for tensor cores, 1979 and 989 TFLOP/s, are with sparsity, so half of them counts:
#: https://www.nvidia.com/en-us/data-center/h100/ (SXM) and
#: https://www.nvidia.com/en-us/data-center/h200/ (SXM).
PEAKS = {
    name: {'bfloat16': 989.5e12, 'tf32': 494.5e12, 'float32': 67e12}
    for name in ('NVIDIA H100 80GB HBM3', 'NVIDIA H200')
}


def precision(amp: bool, device: torch.device) -> str:
    """What matrices are multiplied in: ``'bfloat16'``, ``'tf32'`` or ``'float32'``."""
    if amp:
        return 'bfloat16'
    tf32 = torch.get_float32_matmul_precision() != 'highest'
    return 'tf32' if tf32 and device.type == 'cuda' else 'float32'


def peak_flops(device: torch.device, precision: str) -> float | None:
    """Dense FLOP/s of a device; None where it is not known, as of every CPU."""
    if device.type != 'cuda':
        return None
    return PEAKS.get(torch.cuda.get_device_name(device), {}).get(precision)


def flop_counter() -> FlopCounterMode:
    """A counter of the operations in matrix products and attention, the model's own.

    torch counts fused attention on a GPU and passes over it on a CPU; and it counts
    the scores that a backward pass computes anew, which are the kernel's choice and no
    work of the model. A multiply-add is two operations; all else counts as nothing.
    """
    formulas = {}
    for kernel in ('flash', 'efficient', 'cudnn', 'flash_for_cpu'):
        head, _, tail = kernel.partition('_')
        name = f'_scaled_dot_product_{head}_attention{tail and "_" + tail}'
        if hasattr(torch.ops.aten, name):
            formulas[getattr(torch.ops.aten, name)] = _attention
            formulas[getattr(torch.ops.aten, f'{name}_backward')] = _attention_backward
    return FlopCounterMode(display=False, custom_mapping=formulas)


def _attention(query, key, value, *_: object, **__: object) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(_, query, key, value, *__: object, **___: object) -> int:
    return 2 * sdpa_flop_count(query, key, value)


def peak_growth(setting: Setting | Script, threads: int) -> int:
    """By how much a workload raises the peak memory of a process, in bytes.

    A fresh process imports the package, notes its peak resident set, builds the
    workload and makes a few steps. So the figure holds model, optimizer, activations
    and data, and no libraries.

    Raises:
        OSError: The system has no /proc/self/status (it is no Linux).
    """
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as fresh:
        return fresh.submit(_growth, setting, threads).result()


def _growth(setting: Setting | Script, threads: int) -> int:
    torch.set_num_threads(threads)
    before = _peak_rss()
    workload = setting.build(HostClock())
    for _ in range(3):
        workload.step()
    return _peak_rss() - before


def _peak_rss() -> int:
    # Not ru_maxrss: Linux lets a new process inherit the one of its parent.
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return 1024 * int(line.split()[1])
    raise OSError('/proc/self/status has no VmHWM: peak memory is not known here.')
