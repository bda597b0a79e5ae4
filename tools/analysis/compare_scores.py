#!/usr/bin/env python
"""Compare two methods on the same clips, by what tools/test.py --dump writes.

python tools/analysis/compare_scores.py FDMAE.pkl --against MAE.pkl
"""

from fdmae_mm.apis import compare

if __name__ == '__main__':
    compare()
