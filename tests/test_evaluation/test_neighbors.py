from functools import partial

import pytest
import torch
import torch.nn.functional as F
from mmaction.evaluation.functional import mean_average_precision
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from fdmae_mm.evaluation import (
    few_shot_accuracy,
    knn_scores,
    nearest_neighbor_scores,
    neighbors,
    retrieval_map,
    top1_accuracy,
)
from fdmae_mm.models.heads import KNNHead


def knn_accuracy(bank, bank_labels, queries, labels, **settings):
    return top1_accuracy(knn_scores(bank, bank_labels, queries, **settings), labels)


def euclidean_accuracy(bank, bank_labels, queries, labels):
    scores = nearest_neighbor_scores(bank, bank_labels, queries)
    return top1_accuracy(scores, labels)


def at(*degrees):
    """Points of different lengths at these angles."""
    angle = torch.tensor(degrees).deg2rad()
    length = 1 + torch.arange(len(degrees))[:, None]
    return length * torch.stack([angle.cos(), angle.sin()], 1)


def random_set(clips, classes=7, dims=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (clips,), generator=generator)
    centres = torch.randn(classes, dims, generator=torch.Generator().manual_seed(9))
    noise = torch.randn(clips, dims, generator=generator)
    return centres[labels] + noise, labels


def test_more_neighbours_outvote_the_nearest():
    bank, labels = at(1.0, 10.0, 11.0), torch.tensor([0, 1, 1])
    query, zero = at(0.0), torch.tensor([0])
    assert knn_accuracy(bank, labels, query, zero, k=1) == 100
    assert knn_accuracy(bank, labels, query, zero, k=3) == 0
    # A low temperature leaves all the weight to the nearest.
    assert knn_accuracy(bank, labels, query, zero, k=3, temperature=1e-3) == 100


@pytest.mark.parametrize('k', [1, 20])
def test_equal_to_the_head_that_a_runner_tests(k, monkeypatch):
    monkeypatch.setattr(neighbors, 'CHUNK', 16)
    bank, bank_labels = random_set(90)
    queries, labels = random_set(50, seed=1)
    head = KNNHead(7, 5, k=k)
    head.fill(F.normalize(bank, dim=1), bank_labels)
    scores = torch.cat([head(q.view(1, 1, 5, 1, 1)) for q in queries])
    assert 20 < top1_accuracy(scores, labels) < 100
    found = knn_scores(bank, bank_labels, queries, k=k)
    assert torch.allclose(found, scores, atol=1e-6)


@pytest.mark.parametrize('scores', [nearest_neighbor_scores, partial(knn_scores, k=1)])
def test_a_class_without_clips_keeps_its_place(scores):
    bank, labels = torch.eye(2), torch.tensor([0, 2])
    found = scores(bank, labels, bank)
    assert found.tolist() == [[1, 0, 0], [0, 0, 1]]


def test_more_neighbours_than_clips():
    with pytest.raises(ValueError, match='k=3 neighbours are asked of 2 clips'):
        knn_scores(*random_set(2), random_set(2)[0], k=3)


def test_average_precision_by_hand():
    gallery = at(10.0, 20.0, 30.0, 40.0)
    labels = torch.tensor([0, 1, 0, 1])
    # Class 0 is found at ranks 1 and 3, class 1 at ranks 2 and 4.
    zero, one = (1 + 2 / 3) / 2, (1 / 2 + 2 / 4) / 2
    query = at(0.0)
    for label, expected in ((0, zero), (1, one), (2, 0)):
        found = retrieval_map(gallery, labels, query, torch.tensor([label]))
        assert found == pytest.approx(100 * expected)
    both = retrieval_map(gallery, labels, at(0.0, 0.0), torch.tensor([0, 1]))
    assert both == pytest.approx(100 * (zero + one) / 2)


def test_average_precision_is_that_of_mmaction(monkeypatch):
    """Which ranks the gallery as samples, and takes a class for each query."""
    monkeypatch.setattr(neighbors, 'CHUNK', 16)
    gallery, gallery_labels = random_set(80)
    queries, labels = random_set(40, seed=1)
    cosine = F.normalize(gallery, dim=1) @ F.normalize(queries, dim=1).T
    relevant = gallery_labels[:, None] == labels
    expected = mean_average_precision(list(cosine.numpy()), list(relevant.numpy()))
    found = retrieval_map(gallery, gallery_labels, queries, labels)
    assert found == pytest.approx(100 * expected, rel=1e-5)
    assert 10 < found < 90


class Largest(TorchDispatchMode):
    """Bytes of the largest tensor that is made."""

    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **kwargs or {})
        for tensor in tree_flatten(made)[0]:
            if isinstance(tensor, torch.Tensor):
                self.bytes = max(self.bytes, tensor.nbytes)
        return made


@pytest.mark.parametrize('protocol', [euclidean_accuracy, retrieval_map])
def test_memory_is_that_of_a_chunk(protocol, monkeypatch):
    bank, queries = random_set(90), random_set(50, seed=1)
    whole = protocol(*bank, *queries)
    monkeypatch.setattr(neighbors, 'CHUNK', 16)
    with Largest() as largest:
        found = protocol(*bank, *queries)
    assert found == pytest.approx(whole)
    assert largest.bytes <= 16 * 90 * 4  # float32 cosines or distances


def test_few_shot_of_classes_that_lie_apart_is_perfect():
    labels = torch.arange(6).repeat_interleave(20)
    features = at(*(60.0 * label for label in labels.tolist()))
    assert few_shot_accuracy(features, labels, ways=5, shots=1, queries=5) == (100, 0)


def test_few_shot_by_hand():
    """Classes 0 and 1 are alike, 2 is not: by the draw an episode gives 1/2 or 1."""
    labels = torch.arange(3).repeat_interleave(4)
    features = at(*([0.0] * 8 + [90.0] * 4))
    mean, interval = few_shot_accuracy(
        features, labels, ways=2, shots=1, queries=3, episodes=900
    )
    # One episode of three has the twins; argmax gives all their clips to one of them.
    assert mean == pytest.approx(100 * (2 / 3 + 1 / 3 * 1 / 2), abs=3)
    assert interval == pytest.approx(1.96 * 50 * (2 / 9 / 900) ** 0.5, abs=0.1)
    # Without one of the twins nothing is left to mistake.
    apart = few_shot_accuracy(
        features, labels, ways=2, shots=1, queries=3, classes=[1, 2]
    )
    assert apart == (100, 0)


def test_few_shot_takes_each_class_once_in_any_order():
    args = dict(ways=2, shots=1, queries=5, episodes=20)
    one = few_shot_accuracy(*random_set(400), classes=[1, 2, 4], **args)
    assert few_shot_accuracy(*random_set(400), classes=[4, 1, 2, 1], **args) == one


def test_few_shot_compares_the_direction_of_a_mean_of_directions():
    """Class 0 at 0, 80 and 60 degrees, class 1 at 90: all but the 80 are found.

    The means of two of class 0 lie at 30 (of 0 and 60), 40 and 70 degrees. That at 40
    is the shorter for its clips' distance, and the clip at 0 is long; neither counts.
    """
    labels = torch.arange(2).repeat_interleave(3)
    angle = torch.tensor([0.0, 80, 60, 90, 90, 90]).deg2rad()
    features = torch.stack([angle.cos(), angle.sin()], 1)
    features[0] *= 10
    mean, _ = few_shot_accuracy(
        features, labels, ways=2, shots=2, queries=1, episodes=900
    )
    assert mean == pytest.approx(100 * (1 + 1 + 1 / 2) / 3, abs=3)


def test_few_shot_never_asks_for_a_clip_that_it_was_shown():
    """Labels say nothing about the features, so that only such a clip is known."""
    features = torch.randn(60, 200, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(2).repeat_interleave(30)
    mean, _ = few_shot_accuracy(features, labels, ways=2, shots=5, queries=25)
    assert mean == pytest.approx(50, abs=5)


def test_more_shots_help_and_the_seed_decides():
    features, labels = random_set(400)
    args = dict(ways=5, queries=10, episodes=100)
    one = few_shot_accuracy(features, labels, shots=1, **args)
    assert few_shot_accuracy(features, labels, shots=1, **args) == one
    assert few_shot_accuracy(features, labels, shots=1, seed=1, **args) != one
    assert few_shot_accuracy(features, labels, shots=5, **args)[0] > one[0] + 3


@pytest.mark.parametrize(
    'size, message',
    [
        (dict(ways=1), 'ways=1 .* must be at least 2'),
        (dict(shots=0), 'shots=0 .* must be at least 1'),
        (dict(queries=0), 'queries=0 .* must be at least 1'),
    ],
)
def test_an_episode_of_nothing_is_not_perfect(size, message):
    with pytest.raises(ValueError, match=message):
        few_shot_accuracy(*random_set(90), **dict(ways=2, shots=1, queries=2) | size)


def test_few_shot_needs_classes_and_clips():
    features, labels = random_set(20, classes=2)
    with pytest.raises(ValueError, match=r'5 ways are asked of 2 classes: \[0, 1\]'):
        few_shot_accuracy(features, labels, ways=5, shots=1)
    with pytest.raises(ValueError, match=r'Class 0 has .* clips, .* 15 queries'):
        few_shot_accuracy(features, labels, ways=2, shots=1)
