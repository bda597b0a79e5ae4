import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from torch.utils._python_dispatch import TorchDispatchMode

from fdmae_mm.apis import find_config
from fdmae_mm.models import (
    FinetuneHead,
    FrequencyHead,
    HaarTarget,
    KNNHead,
    LinearProbeHead,
    MomentumHead,
    WindowHead,
)
from fdmae_mm.models.heads.classification import pool, pool_joints
from fdmae_mm.models.layers import Cells

EDGES = (0, 1 / 16, 1 / 8, 1 / 2)


def frequency_head(**kwargs):
    config = dict(windows=(32, 16, 8), band_edges=EDGES, in_dims=4, in_channels=3)
    return FrequencyHead(**{**config, **kwargs})


def cells_of(windows, num_joints=5, frames=32, dims=4):
    return {
        w: Cells(
            torch.randn(2, frames // w, num_joints, dims),
            torch.ones(2, frames // w, num_joints),
            slice(None),
        )
        for w in windows
    }


def test_window_head_is_projection_target_and_loss():
    head = WindowHead(
        window=2,
        target=dict(type='JointTarget', normalize=False),
        loss=dict(type='MaskedReconstructionLoss'),
        in_dims=4,
        in_channels=1,
        loss_weight=3.0,
    )
    torch.nn.init.zeros_(head.project.weight)
    torch.nn.init.ones_(head.project.bias)
    x = torch.tensor([1.0, 4.0]).view(1, 2, 1, 1)
    features = torch.zeros(1, 1, 1, 4)
    cells = Cells(features, torch.ones(1, 1, 1), slice(None))
    loss, logs = head.loss(x, {2: cells})
    assert loss.item() == pytest.approx(3 * (0 + 9) / 2)
    assert logs == {}
    assert head.predict(x, {2: features}).flatten().tolist() == [1, 1]


@pytest.mark.parametrize(
    'head',
    [
        WindowHead(
            window=8,
            target=dict(type='JointTarget'),
            loss=dict(type='MaskedReconstructionLoss'),
            in_dims=4,
            in_channels=3,
        ),
        FrequencyHead(windows=(8,), band_edges=(0, 0.5), in_dims=4, in_channels=3),
    ],
    ids=['time', 'frequency'],
)
def test_a_head_compares_the_decoded_places_alone(head):
    torch.manual_seed(0)
    x = torch.randn(2, 32, 5, 3)
    (every,) = cells_of([8]).values()
    places = torch.tensor([3, 1])
    some = Cells(every.features[:, places], every.weight[:, places], places)
    # What is not asked for, of the four cells along time, has weight zero instead.
    weight = every.weight.clone()
    weight[:, [0, 2]] = 0
    head.eval()
    loss, _ = head.loss(x, {8: some})
    same, _ = head.loss(x, {8: every._replace(weight=weight)})
    assert loss.item() == pytest.approx(same.item(), rel=1e-5)
    assert loss.item() != pytest.approx(head.loss(x, {8: every})[0].item(), rel=1e-5)


def test_a_head_asks_for_this_clip_in_time_order():
    """What it asks for is given: a layer of identity on the encoded clip."""
    torch.manual_seed(0)
    x = torch.randn(2, 32, 5, 3).cumsum(1)
    time = WindowHead(
        window=8,
        target=dict(type='JointTarget', normalize=True),
        loss=dict(type='MaskedReconstructionLoss'),
        in_dims=24,
        in_channels=3,
    )
    frequency = FrequencyHead(
        windows=(8,),
        band_edges=(0, 0.5),
        in_dims=24,
        in_channels=3,
        loss=dict(type='FrequencyDecoupledLoss', normalize='none'),
    )
    for head, layer, target in (
        (time, time.project, time.target),
        (frequency, frequency.project['8'], frequency.targets['8']),
    ):
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
        encoded = target.encode(x)
        cells = Cells(encoded, torch.ones(2, 4, 5), slice(None))
        assert head.loss(x, {8: cells})[0].item() == pytest.approx(0, abs=1e-9)
    # A cell takes its own mean and scale back.
    found = time.predict(x, {8: time.target.encode(x)})
    assert torch.allclose(found, x, atol=1e-5)


def test_each_scale_takes_the_band_it_resolves():
    head = frequency_head()
    assert head.bands == {32: [0], 16: [1], 8: [2]}
    assert [head.targets[str(w)].channels for w in head.windows] == [
        4 * 3,
        2 * 3,
        6 * 3,
    ]


def test_scales_are_ordered_whatever_the_config_says():
    assert frequency_head(windows=(8, 32, 16)).bands == {32: [0], 16: [1], 8: [2]}


def test_all_bands_at_all_scales():
    head = frequency_head(assignment='all', band_edges=(0, 1 / 48, 1 / 8, 1 / 2))
    # A window of 8 frames holds one coefficient, k = 0, below 1/48 cycles a frame.
    assert head.bands == {32: [0, 1, 2], 16: [0, 1, 2], 8: [0, 1, 2]}
    assert [t.channels for t in head.targets.values()] == [32 * 3, 16 * 3, 8 * 3]


def test_every_band_is_logged_and_the_loss_is_their_weighted_mean():
    torch.manual_seed(0)
    head = frequency_head(band_weights=(1.0, 4.0, 0.0), loss_weight=0.5)
    loss, logs = head.loss(torch.randn(2, 32, 5, 3), cells_of(head.windows))
    assert list(logs) == ['w32_band0', 'w16_band1', 'w8_band2']
    assert not any(v.requires_grad for v in logs.values())
    low, mid, _ = (v.item() for v in logs.values())
    assert loss.item() == pytest.approx(0.5 * (low + 4 * mid) / 3, rel=1e-5)


def test_frequency_head_takes_the_target_of_its_scales():
    head = frequency_head(target=dict(type='HaarTarget'))
    assert {type(target) for target in head.targets.values()} == {HaarTarget}
    shapes = [tuple(target.basis.shape) for target in head.targets.values()]
    assert shapes == [(4, 32), (2, 16), (6, 8)]
    loss, _ = head.loss(torch.randn(2, 32, 5, 3), cells_of((32, 16, 8)))
    assert loss.isfinite()


def test_a_scale_leaves_out_the_band_that_it_has_no_coefficient_in():
    # Those of a window of four lie at 0, 1/8, 1/4 and 3/8 cycles a frame.
    head = frequency_head(
        windows=(32, 4), band_edges=(0, 1 / 16, 1 / 12, 1 / 2), assignment='all'
    )
    assert head.bands == {32: [0, 1, 2], 4: [0, 2]}
    loss, logs = head.loss(torch.randn(2, 32, 5, 3), cells_of(head.windows))
    assert loss.isfinite()
    assert list(logs)[3:] == ['w4_band0', 'w4_band2']


def test_frequency_head_takes_its_signal_and_its_loss():
    # Of a body that stands still the motion, the default, is zero, the joints are not.
    x = torch.ones(2, 32, 5, 3)
    for signal, still in ((None, True), ('motion', True), ('joint', False)):
        head = frequency_head(**dict(signal=signal) if signal else {})
        for project in head.project.values():
            torch.nn.init.zeros_(project.weight)
            torch.nn.init.zeros_(project.bias)
        assert (head.loss(x, cells_of(head.windows))[0] == 0) == still
    head = frequency_head(loss=dict(type='FrequencyDecoupledLoss', normalize='band'))
    assert {loss.normalize for loss in head.criteria.values()} == {'band'}


def test_a_static_skeleton_gives_a_finite_loss_and_gradient():
    head = frequency_head()
    loss, _ = head.loss(torch.ones(2, 32, 5, 3), cells_of(head.windows))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(band_edges=(0, 1 / 8, 0.4)), 'must ascend from 0 to 0.5'),
        (dict(band_edges=(0.1, 1 / 8, 0.5)), 'must ascend from 0 to 0.5'),
        (dict(band_edges=(0, 1 / 8, 1 / 8, 0.5)), 'must ascend from 0 to 0.5'),
        (dict(windows=(32, 8)), '2 windows .* meet 3 bands'),
        (
            dict(band_edges=(0, 1 / 16, 1 / 7, 0.5)),
            'coefficient 4.571 of the window of 16',
        ),
        (dict(assignment='some'), "assignment='some'"),
        (dict(band_weights=(1.0,)), '1 band_weights were given for 3 bands'),
        (dict(band_weights=(-1, 1, 1)), r'band_weights=\[-1, 1, 1\] must be'),
        (dict(band_weights=(0, 0, 0)), 'not all 0'),
        (dict(windows=(32, 16, 16)), r'windows=\[32, 16, 16\]: a window stands twice'),
        (dict(windows=(32, 16, 0), assignment='all'), 'window=0 must be a whole'),
    ],
)
def test_bands_that_leave_a_gap_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        frequency_head(**kwargs)


def test_a_momentum_head_has_a_window():
    with pytest.raises(ValueError, match=r'windows=\[\] of the momentum head'):
        MomentumHead(in_dims=4, windows=[])


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(k=0), 'k=0 must be a whole number'),
        (dict(temperature=0), 'temperature=0 must be a number above 0'),
        (dict(temperature=float('nan')), 'temperature=nan'),
    ],
)
def test_neighbours_that_say_nothing_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        KNNHead(num_classes=2, in_channels=2, **kwargs)


def test_momentum_target_is_layer_normalised():
    head = MomentumHead(in_dims=4, windows=[8])
    cells = cells_of([8, 16])
    teacher = {8: torch.randn(2, 4, 5, 4)}
    scaled = {8: teacher[8] * 7 + 3}
    first = head.loss(cells, teacher)
    assert head.loss(cells, scaled).item() == pytest.approx(first.item(), rel=1e-3)


def test_momentum_loss_by_hand():
    """Smooth-L1 of what is predicted, (3, 3), to (-1, 1): (4 - 1/2 + 2 - 1/2) / 2."""
    head = MomentumHead(in_dims=2, windows=[8, 4], hidden_dims=5, loss_weight=0.5)
    assert head.predictor[0].out_features == 5
    assert MomentumHead(in_dims=3, windows=[8]).predictor[0].out_features == 6
    torch.nn.init.zeros_(head.predictor[2].weight)
    torch.nn.init.constant_(head.predictor[2].bias, 3.0)
    features, places = torch.randn(1, 1, 2, 2), slice(None)
    # A visible cell does not count. The other window's error is 1/2 at both numbers.
    near, far = torch.tensor([[[[30.0, 50.0], [1.0, 9.0]]]]), torch.zeros(1, 1, 2, 2)
    cells = {
        8: Cells(features, torch.tensor([[[1.0, 0.0]]]), places),
        4: Cells(features, torch.tensor([[[0.5, 0.5]]]), places),
    }
    one = head.loss(cells, {8: near}).item()
    assert one == pytest.approx(0.5 * 2.5, rel=1e-4)
    # The layer norm of equal numbers is 0: an error of 3 - 1/2.
    both = head.loss(cells, {8: near, 4: far}).item()
    assert both == pytest.approx(0.5 * (2.5 + 2.5) / 2, rel=1e-4)
    near[0, 0, 1] = torch.tensor([9.0, 1.0])
    assert head.loss(cells, {8: near}).item() == one


def test_knn_head_votes_by_hand():
    head = KNNHead(num_classes=3, in_channels=2, k=2, temperature=0.5)
    bank = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    head.fill(bank, torch.tensor([2, 0, 1]))
    feats = torch.tensor([3.0, 4.0]).view(1, 1, 2, 1, 1)  # cosines 0.6, 0.8, -0.6
    expected = torch.tensor([1.6, 1.2]).softmax(0).tolist()
    assert head(feats)[0].tolist() == pytest.approx([expected[0], 0, expected[1]])


def test_a_target_is_not_rounded_under_autocast(monkeypatch):
    """One of one's own may multiply matrices, which autocast does in bfloat16."""
    head = WindowHead(
        window=8,
        target=dict(type='JointTarget', normalize=False),
        loss=dict(type='MaskedReconstructionLoss'),
        in_dims=4,
        in_channels=3,
    )
    encode, found = head.target.encode, []
    monkeypatch.setattr(head.target, 'encode', lambda x: encode(x) @ torch.eye(24))
    monkeypatch.setattr(
        head.criterion,
        'forward',
        lambda pred, target, weight: found.append(target) or pred.sum(),
    )
    x = 1 + torch.rand(2, 32, 5, 3) / 100
    with torch.autocast('cpu', torch.bfloat16):
        head.loss(x, cells_of([8]))
    assert torch.equal(found[0], encode(x))


def test_a_prediction_is_not_rounded_under_autocast():
    head = WindowHead(
        window=8,
        target=dict(type='DCTTarget'),
        loss=dict(type='MaskedReconstructionLoss'),
        in_dims=4,
        in_channels=3,
    )
    with torch.autocast('cpu', torch.bfloat16):
        found = head.predict(torch.rand(2, 32, 5, 3), {8: torch.randn(2, 4, 5, 4)})
    assert found.dtype == torch.float32


def test_knn_compares_in_float32_under_autocast():
    """In bfloat16 the cosines of near neighbours are all 1."""
    angles = torch.arange(50) * 0.01
    bank = torch.stack([angles.cos(), angles.sin()], 1)
    head = KNNHead(num_classes=50, in_channels=2)
    head.fill(bank, torch.arange(50))
    with torch.autocast('cpu', torch.bfloat16):
        votes = head(bank.view(50, 1, 2, 1, 1))
    assert votes.argmax(1).tolist() == list(range(50))


def test_knn_votes_take_a_number_for_each_class():
    """Not one for each neighbour and class."""
    head = KNNHead(num_classes=500, in_channels=2, k=400)
    angles = torch.rand(400, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(400) % 4
    head.fill(torch.stack([angles.cos(), angles.sin()], 1), labels)
    feats = torch.tensor([1.0, 0.0]).expand(8, 2)[:, None, :, None, None]
    weight = (angles.cos() / head.temperature).softmax(0)
    expected = [weight[labels == label].sum().item() for label in range(4)]
    largest = 0

    class Largest(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            nonlocal largest
            made = function(*args, **kwargs or {})
            for tensor in made if isinstance(made, (tuple, list)) else [made]:
                largest = max(largest, tensor.numel())
            return made

    with Largest():
        votes = head(feats)
    assert votes[7, :4].tolist() == pytest.approx(expected, abs=1e-6)
    assert not votes[:, 4:].any()
    assert largest <= 8 * 500


def test_knn_votes_of_several_clips_are_averaged_as_they_are():
    votes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    found = KNNHead(num_classes=2, in_channels=2).average_clip(votes, num_segs=2)
    assert found.tolist() == [[0.5, 0.5], [1, 0]]


def test_knn_head_without_a_bank_says_what_to_add():
    with pytest.raises(ValueError, match='add FeatureBankHook'):
        KNNHead(3, 2)(torch.ones(1, 1, 2, 1, 1))


def test_knn_needs_as_many_clips_as_neighbours():
    with pytest.raises(ValueError, match='k=5 neighbours are asked of 2 clips'):
        KNNHead(3, 2, k=5).fill(torch.ones(2, 2), torch.zeros(2, dtype=torch.long))


def test_finetune_head_keeps_joints_apart():
    head = FinetuneHead(
        num_classes=3, in_channels=4, num_joints=5, hidden_dims=8
    ).eval()
    feats = torch.randn(2, 1, 4, 3, 5)
    assert head(feats).shape == (2, 3)
    assert not torch.allclose(head(feats), head(feats.flip(-1)))
    assert torch.allclose(head(feats), head(feats.flip(-2)), atol=1e-6)


def test_finetune_head_has_a_hidden_layer_with_batch_norm_and_relu():
    head = FinetuneHead(3, in_channels=4, num_joints=5, hidden_dims=8, dropout=0.0)
    feats = torch.randn(6, 1, 4, 3, 5)
    hidden = head.mlp[0](pool_joints(feats))
    hidden = hidden - hidden.mean(0)
    hidden = hidden / (hidden.square().mean(0) + 1e-5).sqrt()
    assert torch.allclose(head(feats), head.fc(hidden.relu()), atol=1e-5)


def test_features_of_other_joints_are_named():
    head = FinetuneHead(3, in_channels=4, num_joints=5)
    with pytest.raises(ValueError, match=r'of 7 joints, .* num_joints=5: set model'):
        head(torch.randn(2, 1, 4, 2, 7))


def test_finetune_head_drops_features():
    head = FinetuneHead(3, in_channels=4, num_joints=5, hidden_dims=8, dropout=1.0)
    feats = torch.randn(4, 1, 4, 3, 5)
    assert torch.equal(head(feats), head(torch.zeros_like(feats)))
    assert not torch.allclose(head.eval()(feats), head(torch.zeros_like(feats)))
    assert FinetuneHead(3, 4).dropout.p == 0.3
    assert FinetuneHead(3, 4).fc.in_features == 2048


def test_finetune_head_drops_values_before_it_averages_them():
    head = FinetuneHead(3, in_channels=4, num_joints=5, hidden_dims=8, dropout=0.5)
    seen = []
    head.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.manual_seed(0)
    head(torch.ones(4, 1, 4, 8, 5))
    # Means of eight values 0 or 2; after the mean they would be 0 or 2 themselves.
    assert ((seen[0] > 0) & (seen[0] < 2)).float().mean() > 0.9


@pytest.mark.parametrize('kind', [LinearProbeHead, FinetuneHead])
def test_classification_heads_take_their_loss(kind):
    samples = [ActionDataSample().set_gt_label(i) for i in (0, 1)]
    scores = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    config = dict(type='CrossEntropyLoss', loss_weight=2.0)
    plain, twice = (
        kind(2, 4, **kwargs).loss_by_feat(scores, samples)['loss_cls'].item()
        for kwargs in ({}, dict(loss_cls=config))
    )
    assert twice == pytest.approx(2 * plain)


@pytest.mark.parametrize('name', ['fdmae', 'knn', 'linear', 'finetune'])
def test_models_are_built_under_any_default_scope(name):
    """As by a project with registries of its own, which puts mmaction. before types."""

    def scoped(value):
        if isinstance(value, list):
            return [scoped(each) for each in value]
        if not isinstance(value, dict):
            return value
        value = {key: scoped(each) for key, each in value.items()}
        return value | (
            {'type': f'mmaction.{value["type"]}'} if 'type' in value else {}
        )

    cfg = Config.fromfile(find_config(f'{name}_nw-ucla_small')).model.to_dict()
    cfg['backbone'].pop('init_cfg', None)
    with DefaultScope.overwrite_default_scope('mmengine'):
        model = ROOT_MODELS.build(scoped(cfg))
    assert type(model).__name__ == cfg['type']


def test_linear_probe_starts_near_zero():
    head = LinearProbeHead(num_classes=100, in_channels=200)
    head.init_weights()
    assert head.fc.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not head.fc.bias.any()
    assert not list(head.norm.parameters())


def test_the_bank_is_not_in_the_checkpoint():
    head = KNNHead(num_classes=2, in_channels=2)
    head.fill(torch.eye(2), torch.tensor([0, 1]))
    assert not head.state_dict()


def test_label_smoothing_reaches_the_loss():
    samples = [ActionDataSample().set_gt_label(i) for i in (0, 1)]
    scores = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]])
    plain = FinetuneHead(3, 4, 5, label_smooth_eps=0.0).loss_by_feat(scores, samples)
    smooth = FinetuneHead(3, 4, 5, label_smooth_eps=0.1).loss_by_feat(scores, samples)
    assert smooth['loss_cls'] > plain['loss_cls'] + 0.1
    assert FinetuneHead(3, 4, 5).loss_by_feat(scores, samples) == smooth


def test_joints_stay_apart_one_after_the_other():
    """Two persons, two times: by hand, (N, M, D, T', V) = (1, 2, 1, 2, 3)."""
    feats = torch.tensor([[[[[1.0, 2, 3], [3, 4, 5]]], [[[5.0, 6, 7], [7, 8, 9]]]]])
    assert pool_joints(feats).tolist() == [[4, 5, 6]]
    assert pool(feats).tolist() == [[5]]
    wide = torch.cat([feats, 10 * feats], dim=2)  # D = 2
    assert pool_joints(wide).tolist() == [[4, 40, 5, 50, 6, 60]]
