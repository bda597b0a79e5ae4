#!/usr/bin/env python
"""Convert weights: MAMP's checkpoints and safetensors files, there and back.

python tools/convert_checkpoint.py MAMP.pth OUT.pth
python tools/convert_checkpoint.py OURS.pth OUT.pth --to mamp
python tools/convert_checkpoint.py OURS.pth OUT.safetensors     # or the other way
"""

import sys

from fdmae_mm.apis import convert_checkpoint

if __name__ == '__main__':
    sys.exit(convert_checkpoint())
