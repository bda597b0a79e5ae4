#!/usr/bin/env python
"""Train by config: python tools/train.py CONFIG [--help]."""

from fdmae_mm.apis import train

if __name__ == '__main__':
    train()
