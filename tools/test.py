#!/usr/bin/env python
"""Test a checkpoint: python tools/test.py CONFIG CHECKPOINT [--help]."""

from fdmae_mm.apis import test

if __name__ == '__main__':
    test()
