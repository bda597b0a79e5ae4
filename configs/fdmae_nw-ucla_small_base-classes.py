"""FDMAE, NW-UCLA without five classes, which few-shot episodes are drawn from.

    python tools/train.py configs/fdmae_nw-ucla_small_base-classes.py
    python tools/probe.py configs/benchmarks/linear/linear_nw-ucla_small.py CHECKPOINT \
        --few-shot 5 1 --classes 5 6 7 8 9

Not run here yet: no result is claimed.
"""

_base_ = './fdmae_nw-ucla_small.py'

train_dataloader = dict(dataset=dict(times=20, dataset=dict(classes=(0, 1, 2, 3, 4))))
