import weakref
from types import SimpleNamespace

import pytest
import torch
from mmaction.structures import ActionDataSample
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fdmae_mm.evaluation import (
    extract_features,
    extract_joints,
    extract_views,
    hold_out_groups,
    knn_scores,
    linear_probe_scores,
    nearest_neighbor_scores,
    probe_features,
    probe_joints,
    probes,
    top1_accuracy,
)

LABELS = torch.tensor([0, 1])


def linear_probe_accuracy(features, known, queries, labels, **schedule):
    scores = linear_probe_scores(features, known, queries, **schedule)
    return top1_accuracy(scores, labels)


def test_cosine_ignores_length_and_euclid_does_not():
    bank = torch.tensor([[10.0, 0.0], [0.0, 1.0]])
    query = torch.tensor([[1.0, 0.8]])  # nearer to the second in space, first in angle
    assert knn_scores(bank, LABELS, query, k=1).tolist() == [[1, 0]]
    assert nearest_neighbor_scores(bank, LABELS, query).tolist() == [[0, 1]]


def test_accuracy_is_in_percent():
    scores = torch.tensor([[1.0, 0.1], [1.0, 0.2], [1.0, 0.3], [0.0, 1.0]])
    assert top1_accuracy(scores, torch.tensor([0, 0, 1, 1])) == 75
    assert top1_accuracy(scores, torch.tensor([0, 0, 1, 7])) == 50  # an unknown class


def test_linear_probe_separates_what_is_linear_and_only_that():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 4, generator=generator)
    linear = (x[:, 0] > 0).long()
    product = ((x[:, 0] > 0) ^ (x[:, 1] > 0)).long()
    # The scale of a feature does not matter to a probe with a batch norm.
    x = x * torch.tensor([0.1, 1e3, 1.0, 1.0])
    assert linear_probe_accuracy(x[:200], linear[:200], x[200:], linear[200:]) > 90
    assert linear_probe_accuracy(x[:200], product[:200], x[200:], product[200:]) < 70


def test_linear_probe_is_deterministic_by_seed_and_leaves_global_randomness():
    x, y = torch.randn(50, 4), torch.randint(3, (50,))
    torch.manual_seed(5)
    first = linear_probe_accuracy(x, y, x, y, epochs=3)
    after = torch.rand(())
    torch.manual_seed(5)
    torch.rand(7)
    assert linear_probe_accuracy(x, y, x, y, epochs=3) == first
    torch.manual_seed(5)
    assert torch.equal(torch.rand(()), after)


@pytest.mark.parametrize('left_over', [2, 4])
def test_clips_that_are_left_over_do_no_harm(left_over):
    # A batch norm of two clips makes each feature +1 or -1.
    generator = torch.Generator().manual_seed(0)
    centres = 0.35 * torch.randn(10, 128, generator=generator)
    y = torch.arange(1256) % 10
    x = centres[y] + torch.randn(1256, 128, generator=generator)
    known = 256 + left_over
    assert linear_probe_accuracy(x[:known], y[:known], x[300:], y[300:]) > 94


def test_a_few_clips_train_a_linear_probe():
    x, y = torch.eye(4).repeat(2, 1), torch.arange(8) % 4
    assert linear_probe_accuracy(x, y, x, y) == 100


def test_an_epoch_takes_one_view_of_each_clip():
    """The probe of K views takes those steps that it would take on one."""
    x, y = torch.randn(50, 4), torch.randint(3, (50,))
    queries, labels = torch.randn(500, 4), torch.randint(3, (500,))

    def accuracy(features, epochs=3):
        return linear_probe_accuracy(features, y, queries, labels, epochs=epochs)

    assert accuracy(torch.stack([x, x, x])) == accuracy(x[None]) == accuracy(x)
    # The second view of a clip is seen in the second epoch, or in the first.
    other = torch.randn(50, 4)
    even = torch.arange(50)[:, None] % 2 == 0
    first, second = torch.where(even, x, other), torch.where(even, other, x)
    assert accuracy(torch.stack([first, second]), epochs=1) == accuracy(x, epochs=1)
    assert accuracy(torch.stack([first, second]), epochs=2) != accuracy(x, epochs=2)


def test_views_help_where_one_view_misleads():
    """The first feature is the class, the second is a mark of one view alone."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(2, (100,), generator=generator)
    signal = 2 * y - 1 + 2 * torch.randn(8, 100, generator=generator)
    x = torch.stack([signal, torch.randn(8, 100, generator=generator)], -1)
    x[0, :, 1] = 10 * y
    queries = torch.stack([2.0 * y - 1, torch.zeros(100)], 1)
    assert linear_probe_accuracy(x[0], y, queries, y) < 60
    assert linear_probe_accuracy(x[1:], y, queries, y) > 90


def test_each_group_is_classified_by_the_others():
    """By hand: a clip's own group, where its nearest neighbour is, does not count."""
    angle = torch.tensor([0.0, 0.01, 0.5, 1.4, 1.41, 1.0])
    features = torch.stack([angle.cos(), angle.sin()], 1)
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    groups = ['a', 'a', 'b', 'b', 'b', 'c']
    # The nearest of another group: 2, 2, 1, 5, 5, 3.
    found = hold_out_groups((features, labels), groups)
    assert found['1nn'] == pytest.approx(100 * 3 / 6)  # clips 0, 3 and 5


def test_views_of_a_group_train_no_probe_that_classifies_it():
    """One class a group: whoever has seen the group is right, the others cannot be."""
    labels = torch.arange(3).repeat_interleave(20)
    features = torch.eye(3)[labels] + 0.01 * torch.randn(60, 3)
    views = torch.stack([features, features])
    found = hold_out_groups((features, labels), labels.tolist(), (views, labels))
    assert found['linear'] == found['1nn'] == 0


def test_one_group_cannot_be_held_out():
    with pytest.raises(ValueError, match=r"in the groups \['a'\]"):
        hold_out_groups((torch.eye(2), LABELS), ['a', 'a'])
    views = torch.zeros(2, 2, 2), LABELS.flip(0)
    with pytest.raises(ValueError, match='or their labels differ'):
        hold_out_groups((torch.eye(2), LABELS), ['a', 'b'], views)
    views = torch.zeros(2, 1, 2), LABELS[:1]
    with pytest.raises(ValueError, match='views are of 1 clips and the bank is of 2'):
        hold_out_groups((torch.eye(2), LABELS), ['a', 'b'], views)


class Encoder(torch.nn.Module):
    """Features are the input, (clips, M, T, V, C) with C for D, and what it drops."""

    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)

    def data_preprocessor(self, batch, training):
        assert not training
        return dict(batch, inputs=torch.stack(batch['inputs']))

    def extract_feat(self, inputs):
        return self.dropout(inputs.flatten(0, 1)).permute(0, 1, 4, 2, 3), {}


def test_features_are_means_over_the_clips_of_a_sample():
    """Two samples of two clips, one person and time, two joints, width 2: by hand."""
    clips = torch.tensor(
        [
            [[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]],
            [[[10.0, 20], [30, 40]], [[50, 60], [70, 80]]],
        ]
    ).view(2, 2, 1, 1, 2, 2)
    samples = [ActionDataSample().set_gt_label(label) for label in (3, 1)]
    batches = [dict(inputs=list(clips), data_samples=samples)]
    model = Encoder().train()
    features, labels = extract_features(model, batches)
    assert features.tolist() == [[4, 5], [40, 50]]
    assert labels.tolist() == [3, 1]
    features, _ = extract_features(model.train(), batches, keep_joints=True)
    assert features.tolist() == [[3, 4, 5, 6], [30, 40, 50, 60]]


def test_passes_in_another_order_are_no_views():
    passes = iter([torch.tensor([0, 1]), torch.tensor([1, 0])])
    with pytest.raises(ValueError, match='must not shuffle'):
        extract_views(lambda _: (torch.eye(2), next(passes)), [], 2)


def test_a_view_is_released_when_it_has_its_place():
    given = []

    def extract(_):
        assert sum(view() is not None for view in given) <= 1
        features = torch.full((2, 3), float(len(given)))
        given.append(weakref.ref(features))
        return features, LABELS

    features, labels = extract_views(extract, [], 4)
    assert torch.equal(features, torch.arange(4.0)[:, None, None].expand(4, 2, 3))
    assert torch.equal(labels, LABELS)


@pytest.mark.parametrize('probe', [probe_features, probe_joints])
def test_the_seed_is_that_of_the_linear_probe(probe, monkeypatch):
    seeds = []

    def linear_probe(features, labels, queries, seed):
        seeds.append(seed)
        return torch.zeros(len(queries), 2)

    monkeypatch.setattr(probes, 'linear_probe_scores', linear_probe)
    data = torch.eye(4), torch.tensor([0, 1, 0, 1])
    hold_out_groups(data, ['a', 'a', 'b', 'b'], seed=7, probe=probe)
    assert seeds == [7, 7]


def test_a_linear_probe_learns_at_the_given_rate():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 20, generator=generator)
    y = (x.sum(1) > 0).long()
    assert linear_probe_accuracy(x, y, x, y) > 95
    assert linear_probe_accuracy(x, y, x, y, lr=1e-9) < 80


def test_steps_of_the_linear_probe_are_those_of_mamp():
    """SGD, momentum 0.9, no decay; the rate 0.1 falls along a half cosine."""
    steps = []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: steps.append(dict(optimizer.param_groups[0]))
    )
    try:
        x, y = torch.randn(16, 4), torch.arange(16) % 2
        linear_probe_accuracy(x, y, x, y, epochs=4, batch_size=8)
    finally:
        hook.remove()
    half = 0.5**0.5
    rates = [0.05 * (1 + cos) for cos in (1, half, 0, -half) for _ in range(2)]
    assert [step['lr'] for step in steps] == pytest.approx(rates)
    settings = {(step['momentum'], step['weight_decay']) for step in steps}
    assert settings == {(0.9, 0)}
    # Of the linear layer; the batch norm has none.
    assert [tuple(p.shape) for p in steps[0]['params']] == [(2, 4), (2,)]


def test_a_step_of_the_linear_probe_takes_256_clips():
    steps = []
    hook = register_optimizer_step_pre_hook(lambda *_: steps.append(None))
    try:
        x, y = torch.randn(600, 4), torch.zeros(600).long()
        linear_probe_scores(x, y, x, epochs=2)
    finally:
        hook.remove()
    assert len(steps) == 2 * 3  # 256, 256 and 88 clips


def test_joints_are_the_coordinates_an_encoder_is_given():
    clips = [torch.rand(2, 1, 4, 3, 3), torch.rand(2, 1, 4, 3, 3)]
    labels = [SimpleNamespace(gt_label=torch.tensor([y])) for y in (3, 1)]
    batches = [
        dict(inputs=[clip], data_samples=[label])
        for clip, label in zip(clips, labels, strict=True)
    ]
    joints, found = extract_joints(batches)
    assert found.tolist() == [3, 1]
    for row, clip in zip(joints, clips, strict=True):
        # The mean of both clips; coordinate after coordinate, then joints, then time.
        assert torch.equal(row.view(4, 3, 3), (clip[0, 0] + clip[1, 0]) / 2)
    views, _ = extract_views(extract_joints, batches, 3)
    assert torch.equal(views, joints.expand(3, 2, 36))


def test_joints_leave_no_batch_open():
    """A label that a worker sent would hold its file of shared memory open."""
    sent = []

    def batches():
        for label in (3, 1, 2):
            sample = ActionDataSample().set_gt_label(label)
            sent.append(weakref.ref(sample.gt_label))
            yield dict(inputs=[torch.zeros(1, 1, 1, 1, 1)], data_samples=[sample])
            del sample
            assert all(label() is None for label in sent[:-1])

    assert extract_joints(batches())[1].tolist() == [3, 1, 2]


def test_joints_are_probed_by_distance_plane_and_kernel():
    """Inside or outside of a circle: neighbours and an SVM tell, a plane cannot."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 2, generator=generator)
    y = (x.norm(dim=1) > 1).long()
    found, _ = probe_joints((x[:400], y[:400]), (x[400:], y[400:]))
    assert found['1nn'] > 90
    assert found['svm'] > 95
    assert found['linear'] < 70
    # Trained on the views, of which these say the opposite; neighbours are of the bank.
    views = x[None, :400], 1 - y[:400]
    turned, _ = probe_joints((x[:400], y[:400]), (x[400:], y[400:]), views)
    assert turned['1nn'] == found['1nn']
    assert turned['svm'] == pytest.approx(100 - found['svm'])
    held = hold_out_groups((x, y), [i % 2 for i in range(600)], probe=probe_joints)
    assert held['svm'] > 95


def test_joints_are_probed_by_every_view():
    """These say the opposite of the bank, which only the neighbours are of."""
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    views = torch.stack([x[:100], x[:100]]), 1 - y[:100]
    found, _ = probe_joints((x[:100], y[:100]), (x[100:], y[100:]), views)
    assert found['1nn'] > 90
    assert found['linear'] < 10
    assert found['svm'] < 10


def test_the_support_vector_machine_has_c_10(monkeypatch):
    svm = pytest.importorskip('sklearn.svm')
    machine, seen = svm.SVC, []
    monkeypatch.setattr(svm, 'SVC', lambda **kw: seen.append(kw) or machine(**kw))
    x, y = torch.randn(20, 2), torch.arange(20) % 2
    probe_joints((x, y), (x, y))
    assert seen == [dict(C=10)]
