#!/usr/bin/env python
"""Convert weights of MAMP: python tools/convert_checkpoint.py SOURCE OUT [--help]."""

import sys

from fdmae_mm.apis import convert_checkpoint

if __name__ == '__main__':
    sys.exit(convert_checkpoint())
