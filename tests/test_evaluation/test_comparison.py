import numpy as np
import pytest
from mmaction.evaluation import top_k_accuracy
from scipy.stats import binomtest, bootstrap, permutation_test

from fdmae_mm.apis import compare, scores
from fdmae_mm.evaluation import Scores, compare_scores


def run(right, names=None, label=1):
    """A run that has the given clips right, all of one class of two."""
    right = np.array(right)
    of_label = np.where(right, 0.9, 0.1)
    others = 1 - of_label
    columns = (of_label, others) if label == 0 else (others, of_label)
    names = names or [f'clip{i}' for i in range(len(right))]
    return Scores(np.stack(columns, axis=1), np.full(len(right), label), names)


def test_by_hand():
    """Three clips that one method alone has right: all flips but two are less far."""
    result = compare_scores(dict(a=run([1, 1, 1, 1])), dict(b=run([1, 0, 0, 0])))
    assert result[:3] == (4, 1.0, 0.25)
    assert result.p_value == pytest.approx(2 / 2**3, abs=0.01)
    assert result.low == 0.25  # three clips of four are the one that both have right
    assert result.high == 1.0


def test_swapped_methods_have_the_opposite_difference():
    a, b = dict(a=run([1, 1, 0, 1, 1, 0])), dict(b=run([1, 0, 1, 0, 0, 0]))
    result, swapped = compare_scores(a, b), compare_scores(b, a)
    assert (swapped.first, swapped.second) == (result.second, result.first)
    assert swapped.p_value == result.p_value
    assert (swapped.low, swapped.high) == pytest.approx((-result.high, -result.low))


def test_one_run_each_is_mcnemars_test():
    only_first, only_second, both = 40, 22, 100
    a = run([1] * both + [1] * only_first + [0] * only_second)
    b = run([1] * both + [0] * only_first + [1] * only_second)
    exact = binomtest(only_first, only_first + only_second).pvalue  # 0.030
    assert compare_scores(dict(a=a), dict(b=b)).p_value == pytest.approx(
        exact, abs=0.01
    )


def test_interval_is_that_of_a_paired_difference():
    """Clips that both have right or wrong narrow it: accuracies are not independent."""
    a = run([1] * 600 + [0] * 250 + [1] * 100 + [0] * 50)
    b = run([1] * 600 + [0] * 250 + [0] * 100 + [1] * 50)
    result = compare_scores(dict(a=a), dict(b=b))
    error = 1.96 * np.sqrt((0.15 - 0.05**2) / 1000)
    assert result.low == pytest.approx(0.05 - error, abs=0.002)
    assert result.high == pytest.approx(0.05 + error, abs=0.002)


def test_equal_methods():
    result = compare_scores(dict(a=run([1, 0, 1])), dict(b=run([1, 0, 1])))
    assert result[1:] == (2 / 3, 2 / 3, 0, 0, 1)


def test_seeds_are_averaged_clip_by_clip():
    seeds = dict(s0=run([1, 0, 1]), s1=run([1, 1, 0]))
    result = compare_scores(seeds, dict(b=run([0, 0, 0])))
    assert result.clips == 3
    assert result.first == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_folds_are_put_together_in_any_order():
    folds = dict(f1=run([1, 1], ['a', 'b']), f2=run([1, 0], ['c', 'd']))
    others = dict(f2=run([0, 0], ['d', 'c']), f1=run([1, 1], ['b', 'a']))
    result = compare_scores(folds, others)
    assert result[:3] == (4, 0.75, 0.5)


def test_clips_are_paired_by_name():
    a, b = run([1, 0, 1, 0], list('abcd')), run([0, 1, 0, 1], list('dcba'))
    result = compare_scores(dict(a=a), dict(b=b))
    assert result == (4, 0.5, 0.5, 0, 0, 1)


def test_equal_scores_count_as_in_a_test():
    tied = Scores(np.full((4, 3), 1 / 3), np.array([0, 1, 2, 2]), list('abcd'))
    (top1,) = top_k_accuracy(tied.scores, tied.labels)
    result = compare_scores(dict(a=tied), dict(b=tied))
    assert result.first == top1


@pytest.mark.parametrize(
    'other, message',
    [
        ([run([1, 0], [None, None])], r'b0: its clips have no frame_dir'),
        ([run([1, 0], ['clip0', 'x'])], 'clip1 of class 1 is in only one of a and b0'),
        ([run([1, 0], label=0)], 'clip0 of class 0 is in only one of a and b0'),
        (
            [run([1, 0]), run([1], ['clip1'])],
            'b0, b1: clip1 is in 2 of them and clip0 in 1',
        ),
    ],
)
def test_other_clips_are_named(other, message):
    other = {f'b{i}': scores for i, scores in enumerate(other)}
    with pytest.raises(ValueError, match=message):
        compare_scores(dict(a=run([1, 1])), other)


def test_command(monkeypatch, capsys):
    runs = {
        'a0.pkl': run([1, 1, 1, 1]),
        'a1.pkl': run([1, 1, 1, 1]),
        'b.pkl': run([1, 0, 0, 0]),
    }
    monkeypatch.setattr(scores, 'read_scores', runs.get)
    result = compare(['a0.pkl', 'a1.pkl', '--against', 'b.pkl'])
    assert result.p_value == pytest.approx(0.25, abs=0.005)
    assert capsys.readouterr().out.splitlines() == [
        '4 clips, 2 runs against 1',
        'first      100.00',
        '--against   25.00',
        'difference  75.00, 95 % interval 25.00 to 100.00, p = 0.25',
    ]


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['a.pkl'], 'arguments are required: --against'),
        (['a.pkl', '--against', 'a.pkl'], 'a file is given twice'),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit):
        compare(arguments)
    assert message in capsys.readouterr().err


def test_seeds_agree_with_scipy():
    """Differences between -1 and 1, in thirds, against SciPy's clip by clip."""
    rng = np.random.default_rng(1)
    seeds = dict.fromkeys('abc'), dict.fromkeys('xyz')
    first, second = (
        {name: run(rng.random(120) < share) for name in names}
        for names, share in zip(seeds, (0.65, 0.6), strict=True)
    )
    result = compare_scores(first, second)
    difference = sum((s.scores[:, 1] > 0.5) / 3.0 for s in first.values()) - sum(
        (s.scores[:, 1] > 0.5) / 3.0 for s in second.values()
    )
    settings = dict(batch=100, n_resamples=20000, random_state=rng)
    interval = bootstrap((difference,), np.mean, method='percentile', **settings)
    test = permutation_test(
        (difference,), np.mean, permutation_type='samples', **settings
    )
    assert result[3:5] == pytest.approx(interval.confidence_interval, abs=0.004)
    assert result.p_value == pytest.approx(test.pvalue, abs=0.01)
    assert 0.01 < result.p_value < 0.6
