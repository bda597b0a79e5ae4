#!/usr/bin/env python
"""1-NN and linear probe in seconds: python tools/probe.py CONFIG CHECKPOINT [--help].

CONFIG is one of configs/benchmarks; its data and backbone are used.
"""

from fdmae_mm.apis import probe

if __name__ == '__main__':
    probe()
