import csv

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import METRICS
from scipy.stats import bootstrap

from fdmae_mm.evaluation import accuracy_interval

# Class 0 is once taken for 2; class 1 twice for 0 and once for 2; of 3 there is none.
PAIRS = [(0, 0), (0, 2), (1, 0), (1, 0), (1, 1), (1, 2), (2, 2), (2, 2)]


def process(metric, pairs):
    for label, predicted in pairs:
        score = torch.zeros(4)
        score[predicted] = 1
        metric.process({}, [dict(pred_score=score, gt_label=torch.tensor([label]))])


def build(**kwargs):
    metric = METRICS.build(dict(type='AccReport', **kwargs))
    metric.dataset_meta = dict(classes=['wave, left', 'walk', 'sit', 'stand'])
    return metric


def rows(path):
    with open(path, newline='') as file:
        return list(csv.reader(file))


def test_scalars_are_those_of_accmetric_and_an_interval():
    metric, stock = (
        build(topk=[1, 2]),
        AccMetric(metric_options=dict(top_k_accuracy=dict(topk=(1, 2)))),
    )
    for each in (metric, stock):
        process(each, PAIRS)
    found, expected = metric.evaluate(len(PAIRS)), stock.evaluate(len(PAIRS))
    low, high = found.pop('acc/top1_low'), found.pop('acc/top1_high')
    assert found == expected
    assert set(found) == {'acc/top1', 'acc/top2', 'acc/mean1'}
    assert found['acc/top1'] == 0.5
    assert (low, high) == accuracy_interval(4, 8)


def test_a_class_without_clips_does_not_count_in_the_mean():
    metric = build(topk=[1])
    process(metric, [(0, 0), (0, 2), (1, 1), (1, 1)])
    assert metric.evaluate(4)['acc/mean1'] == (0.5 + 1) / 2


def test_interval_holds_top1_where_scores_are_equal():
    metric = build(topk=[1])
    for scores in ([1, 1, 0], [1, 0, 0]):  # of equals, top-1 takes the last
        for _ in range(50):
            sample = dict(pred_score=torch.tensor(scores), gt_label=torch.tensor([0]))
            metric.process({}, [sample])
    found = metric.evaluate(100)
    assert found['acc/top1'] == 0.5
    assert (found['acc/top1_low'], found['acc/top1_high']) == accuracy_interval(50, 100)


def test_top1_may_be_left_out():
    metric = build(topk=[2])
    process(metric, PAIRS)
    assert set(metric.evaluate(len(PAIRS))) == {'acc/top2', 'acc/mean1'}


def test_tables(tmp_path):
    metric = build(out_dir=str(tmp_path / 'tables'))
    process(metric, PAIRS)
    metric.evaluate(len(PAIRS))
    assert rows(tmp_path / 'tables' / 'confusion_matrix.csv') == [
        ['true \\ predicted', 'wave, left', 'walk', 'sit', 'stand'],
        ['wave, left', '1', '0', '1', '0'],
        ['walk', '2', '1', '1', '0'],
        ['sit', '0', '0', '2', '0'],
        ['stand', '0', '0', '0', '0'],
    ]
    head, *classes = rows(tmp_path / 'tables' / 'per_class.csv')
    assert head[:4] == ['label', 'name', 'clips', 'accuracy']
    assert classes == [
        ['0', 'wave, left', '2', '0.5000', 'sit', '1'],
        ['1', 'walk', '4', '0.2500', 'wave, left', '2'],
        ['2', 'sit', '2', '1.0000', '', '0'],
        ['3', 'stand', '0', '', '', '0'],
    ]
    assert len(list((tmp_path / 'tables').iterdir())) == 2


@pytest.mark.parametrize('meta', [None, {}])
def test_classes_without_names_are_numbered(tmp_path, meta):
    metric = build(out_dir=str(tmp_path))
    metric.dataset_meta = meta
    process(metric, PAIRS)
    metric.evaluate(len(PAIRS))
    assert rows(tmp_path / 'confusion_matrix.csv')[0][1:] == ['0', '1', '2', '3']


def test_classes_beyond_the_named_are_numbered(tmp_path):
    metric = build(out_dir=str(tmp_path))
    metric.dataset_meta = dict(classes=['wave', 'walk'])
    process(metric, PAIRS)
    metric.evaluate(len(PAIRS))
    names = rows(tmp_path / 'confusion_matrix.csv')[0][1:]
    assert names == ['wave', 'walk', '2', '3']


def test_a_later_evaluation_replaces_the_tables_and_padding_is_dropped(tmp_path):
    metric = build(out_dir=str(tmp_path))
    process(metric, PAIRS)
    metric.evaluate(len(PAIRS))
    process(metric, [(0, 0), (1, 1), (1, 1)])
    found = metric.evaluate(2)  # the third was added to fill a batch
    assert found['acc/top1'] == 1
    clips = [row[2] for row in rows(tmp_path / 'per_class.csv')[1:]]
    assert clips == ['1', '1', '0', '0']


def test_interval_is_that_of_many_resamples():
    hits = np.repeat([1.0, 0.0], [180, 20])
    expected = bootstrap(
        (hits,), np.mean, n_resamples=20000, method='percentile', rng=0
    ).confidence_interval
    low, high = accuracy_interval(180, 200)
    assert low == pytest.approx(expected.low, abs=0.006)
    assert high == pytest.approx(expected.high, abs=0.006)
    # Nothing is resampled but what is there.
    assert accuracy_interval(5, 5) == (1, 1)
    assert accuracy_interval(0, 5) == (0, 0)
