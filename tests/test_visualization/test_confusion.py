import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch

from fdmae_mm.evaluation import AccReport
from fdmae_mm.visualization import plot_confusion, read_confusion

LABELS, PREDICTED = [0, 0, 0, 0, 2], [0, 0, 0, 2, 2]  # no clip of class 1
COUNTS = [[3, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_rows_are_shares_of_the_true_class():
    figure, shares = plot_confusion(np.array(COUNTS), ['a', 'b', 'c'])
    np.testing.assert_array_equal(shares, [[75, 0, 25], [np.nan] * 3, [0, 0, 100]])
    matrix = figure.axes[0]
    assert [label.get_text() for label in matrix.get_yticklabels()] == ['a', 'b', 'c']
    assert (matrix.get_xlabel(), matrix.get_ylabel()) == (
        'predicted class',
        'true class',
    )
    shown = np.ma.filled(matrix.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shown, shares)
    places = {text.get_text(): text.get_position() for text in matrix.texts}
    assert places == {'75': (0, 0), '25': (2, 0), '100': (2, 2)}


def test_many_classes_have_names_and_no_numbers():
    names = [f'class {i}' for i in range(60)]
    figure, _ = plot_confusion(np.eye(60, dtype=int), names)
    matrix = figure.axes[0]
    assert figure.get_figwidth() == 7 and not matrix.texts
    assert len(matrix.get_xticklabels()) == 60
    figure.draw_without_rendering()
    labels = [label.get_window_extent() for label in matrix.get_yticklabels()]
    assert all(a.y0 >= b.y1 - 0.5 for a, b in pairwise(labels))


def test_tables_of_a_test_are_read(tmp_path):
    scores = np.eye(3, dtype=np.float32)[PREDICTED]
    report = AccReport(out_dir=str(tmp_path), topk=(1,))
    report.dataset_meta = dict(classes=['a', 'b', 'c, d'])
    report.compute_metrics(
        [dict(pred=s, label=label) for s, label in zip(scores, LABELS, strict=True)]
    )
    matrix, names = read_confusion(tmp_path / 'confusion_matrix.csv')
    assert matrix.tolist() == COUNTS and names == ['a', 'b', 'c, d']


def test_dumped_scores_are_read(tmp_path):
    dump = [
        dict(pred_score=torch.eye(3)[p], gt_label=torch.tensor([label]))
        for p, label in zip(PREDICTED, LABELS, strict=True)
    ]
    path = tmp_path / 'scores.pkl'
    path.write_bytes(pickle.dumps(dump))
    matrix, names = read_confusion(path)
    assert matrix.tolist() == COUNTS and names == ['0', '1', '2']
    assert read_confusion(path, ('a', 'b', 'c'))[1] == ['a', 'b', 'c']
    with pytest.raises(ValueError, match='3 classes, but 2 names'):
        read_confusion(path, ('a', 'b'))


@pytest.mark.parametrize('text', ['', 'a,b\n', 'x,a\na,1\nb,2\n', 'x,a\na,1.5\n'])
def test_another_table_is_refused(tmp_path, text):
    path = tmp_path / 'table.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'table.csv is no confusion matrix'):
        read_confusion(path)
