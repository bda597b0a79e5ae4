"""Is one method better than another, or does it happen to suit these test clips?"""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .fusion import Scores

# Enough for the second digit of a p-value of 0.01.
RESAMPLES = 100_000


class Comparison(NamedTuple):
    """Top-1 accuracy of two methods on the same clips.

    Attributes:
        clips (int): Clips of both.
        first (float): Accuracy of the first method in [0, 1], mean of its runs.
        second (float): That of the second.
        low (float): Lower end of the 95 % bootstrap interval of ``first - second``
            over clips.
        high (float): Its upper end.
        p_value (float): Two-sided, of the paired permutation test: how often the
            difference is as large if a coin decides, for each clip, which method is
            which. With one run each this is McNemar's test.
    """

    clips: int
    first: float
    second: float
    low: float
    high: float
    p_value: float


def compare_scores(
    first: Mapping[str, Scores], second: Mapping[str, Scores]
) -> Comparison:
    """Compare two methods clip by clip.

    A clip that several runs of a method have, as seeds do, counts by the mean of these
    runs. Runs of different clips, as folds are, are put together. The runs are taken
    as given: interval and p-value tell of other clips, not of other seeds.

    Args:
        first (Mapping[str, Scores]): Runs of the first method by name.
        second (Mapping[str, Scores]): Runs of the second, of the same clips.

    Returns:
        Comparison: Accuracies, the interval of their difference, its p-value.

    Raises:
        ValueError: Clips have no names, the methods have different clips, or some
            clips have more runs of a method than others.
    """
    right, other = _shares_right(first), _shares_right(second)
    if right.keys() != other.keys():
        name, label = min(right.keys() ^ other.keys())
        raise ValueError(
            f'{name} of class {label} is in only one of {", ".join(first)} and '
            f'{", ".join(second)}: two methods are compared on the same test clips.'
        )
    shares = np.array([right[clip] for clip in right])
    others = np.array([other[clip] for clip in right])
    difference = shares - others
    low, high = _bootstrap_interval(difference)
    return Comparison(
        len(shares),
        float(shares.mean()),
        float(others.mean()),
        low,
        high,
        _permutation_p_value(difference),
    )


def _bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % bootstrap interval of a mean.

    Few values differ, so that a resample is how many of each are drawn. SciPy's, which
    draws clip by clip, takes minutes for a large test set.
    """
    size = len(values)
    values, counts = np.unique(values, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(size, counts / size, RESAMPLES)
    low, high = np.percentile(drawn @ values / size, [2.5, 97.5])
    return float(low), float(high)


def _permutation_p_value(values: np.ndarray) -> float:
    """Two-sided p-value of a mean by the signs of its values, drawn as above."""
    sizes, counts = np.unique(np.abs(values), return_counts=True)
    positive = np.random.default_rng(0).binomial(counts, 0.5, (RESAMPLES, len(counts)))
    sums = (2 * positive - counts) @ sizes
    as_large = np.abs(sums) >= abs(values.sum()) - 1e-9  # sums are rounded
    return float((1 + as_large.sum()) / (1 + RESAMPLES))


def _shares_right(runs: Mapping[str, Scores]) -> dict[tuple[str, int], float]:
    """(name, label) of each clip -> the share of its runs that have it right."""
    found = defaultdict(list)
    for path, (scores, labels, names) in runs.items():
        if None in names:
            raise ValueError(
                f'{path}: its clips have no frame_dir, by which they are matched. Test '
                "again with PackActionInputs(meta_keys=('frame_dir',))."
            )
        # Of equal scores AccMetric takes the same class.
        right = scores.argsort(1)[:, -1] == labels
        for *clip, hit in zip(names, labels.tolist(), right, strict=True):
            found[tuple(clip)].append(hit)
    fewest, most = (pick(found, key=lambda c: len(found[c])) for pick in (min, max))
    if len(found[fewest]) < len(found[most]):
        raise ValueError(
            f'{", ".join(runs)}: {most[0]} is in {len(found[most])} of them and '
            f'{fewest[0]} in {len(found[fewest])}. Give as many runs of each clip.'
        )
    return {clip: float(np.mean(hits)) for clip, hits in found.items()}
