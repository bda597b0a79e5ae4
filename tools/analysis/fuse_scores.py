#!/usr/bin/env python
"""Fuse the scores of streams, as tools/test.py --dump writes them.

python tools/analysis/fuse_scores.py JOINT.pkl BONE.pkl MOTION.pkl --coefficients 2 1 1
"""

from fdmae_mm.apis import fuse

if __name__ == '__main__':
    fuse()
