import sys

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from fdmae_mm.visualization import embed_features, features, plot_features


def test_names_stand_at_the_clip_in_the_middle():
    points = np.array([[0, 0], [1, 0], [2, 0], [5, 9.0]])
    figure, centers = plot_features(points, np.array([0, 0, 0, 2]), ['a', 'b', 'c'])
    assert {name: center.tolist() for name, center in centers.items()} == {
        'a': [1, 0],
        'c': [5, 9],
    }
    assert [text.get_text() for text in figure.axes[0].texts] == ['a', 'c']


def test_names_do_not_lie_on_each_other():
    points = np.repeat(np.eye(2), 5, axis=0) + 1e-3 * np.arange(20).reshape(10, 2)
    figure, _ = plot_features(
        points, np.arange(10), [f'a long name {i}' for i in range(10)]
    )
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_names_are_not_compared_pair_by_pair(monkeypatch):
    compared = []

    def overlap(box, boxes):
        compared.append(box)
        return np.full(boxes[..., 2:].shape, -1.0)

    monkeypatch.setattr(features, '_overlap', overlap)
    points = np.random.default_rng(0).normal(size=(30, 2))
    plot_features(points, np.arange(30))
    assert len(compared) == 30


def test_the_centre_of_a_large_class_is_told_by_a_sample(monkeypatch):
    shapes = []

    def counted(one, other):
        shapes.append((len(one), len(other)))
        return cdist(one, other)

    monkeypatch.setattr(features, 'cdist', counted)
    points = np.stack([np.arange(5000), np.arange(5000) % 7], 1).astype(float)
    labels = np.arange(5000) < 4500
    _, centers = plot_features(points, labels.astype(int))
    assert shapes == [(500, 500), (1500, 4500)]
    assert centers['1'][0] == pytest.approx(2250, abs=10)


def test_map_keeps_groups_by_angle_and_not_by_length():
    pytest.importorskip('sklearn')
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20)
    features = np.eye(8)[labels] + 0.1 * rng.normal(size=(40, 8))
    features *= 10 ** rng.uniform(-2, 2, size=(40, 1))
    points = embed_features(features)
    assert points.shape == (40, 2)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (labels[distance.argmin(1)] == labels).all()


def test_missing_packages_and_methods_are_named(monkeypatch):
    features = np.eye(5)
    for module, method, install in (
        ('sklearn', 'tsne', r'fdmae_mm\[plot\]'),
        ('umap', 'umap', 'umap-learn'),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=f'pip install .*{install}'):
            embed_features(features, method)
    with pytest.raises(ValueError, match="method='pca' must be 'tsne' or 'umap'"):
        embed_features(features, 'pca')
    with pytest.raises(ValueError, match='3 clips are too few'):
        embed_features(features[:3])
