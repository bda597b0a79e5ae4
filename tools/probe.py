#!/usr/bin/env python
"""Linear probe, k-NN, retrieval, few-shot, on features computed once.

python tools/probe.py CONFIG CHECKPOINT [--help]; CONFIG is one of configs/benchmarks,
whose data and backbone are used.
"""

from fdmae_mm.apis import probe

if __name__ == '__main__':
    probe()
