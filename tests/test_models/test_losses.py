import pytest
import torch

from fdmae_mm.models import DCTTarget, FrequencyDecoupledLoss, MaskedReconstructionLoss


def test_loss_ignores_visible_tokens():
    pred, target = torch.tensor([[[1.0], [9.0]]]), torch.zeros(1, 2, 1)
    loss = MaskedReconstructionLoss('l2')(
        pred, target, weight=torch.tensor([[1.0, 0.0]])
    )
    assert loss == pytest.approx(1.0)


def test_loss_is_the_mean_by_masked_share():
    pred, target = torch.tensor([[[1.0], [3.0]]]), torch.zeros(1, 2, 1)
    loss = MaskedReconstructionLoss('l1')(
        pred, target, weight=torch.tensor([[1.0, 0.5]])
    )
    assert loss == pytest.approx((1 + 1.5) / 1.5)


def test_a_single_cell_that_is_half_masked_gives_its_error():
    loss = MaskedReconstructionLoss('l1')
    error = loss(torch.full((1, 1), 3.0), torch.zeros(1, 1), torch.tensor([0.5]))
    assert error.item() == pytest.approx(3)


@pytest.mark.parametrize(
    'error, expected', [('l1', 2.0), ('l2', 5.0), ('smooth_l1', (0.5 + 2.5) / 2)]
)
def test_each_error_by_hand(error, expected):
    pred, target, weight = torch.tensor([[1.0, 3.0]]), torch.zeros(1, 2), torch.ones(1)
    loss = MaskedReconstructionLoss(error)
    assert loss(pred, target, weight).item() == pytest.approx(expected)
    loss = FrequencyDecoupledLoss([2], normalize='none', error=error)
    assert loss(pred, target, weight).tolist() == pytest.approx([expected])


@pytest.mark.parametrize(
    'loss',
    [MaskedReconstructionLoss(), FrequencyDecoupledLoss([1], normalize='none')],
)
def test_errors_of_half_precision_are_computed_in_float32(loss):
    pred, target = torch.zeros(1, 1).half(), torch.full((1, 1), 300.0).half()
    error = loss(pred, target, torch.ones(1))  # 300 squared is infinite in half
    assert error.dtype == torch.float32
    assert error.item() == 300**2
    if isinstance(loss, FrequencyDecoupledLoss):
        assert loss.power.item() == 300**2


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16, torch.float64])
def test_statistics_stay_float32_in_a_model_of_another_type(dtype):
    loss = FrequencyDecoupledLoss([1]).to(dtype)
    for _ in range(300):  # bfloat16 counts to 256
        loss(
            torch.zeros(1, 1, dtype=dtype), torch.ones(1, 1, dtype=dtype), torch.ones(1)
        )
    assert loss.num_batches == 300
    assert loss.power.tolist() == [1]
    assert loss.power.dtype == torch.float32


def test_nothing_masked_gives_zero_and_a_gradient():
    pred = torch.ones(1, 2, 1, requires_grad=True)
    loss = MaskedReconstructionLoss()(pred, torch.zeros(1, 2, 1), torch.zeros(1, 2))
    loss.backward()
    assert loss == 0
    assert pred.grad.abs().sum() == 0


def test_unknown_error_lists_the_names():
    with pytest.raises(
        ValueError, match=r"'huber' must be one of \['l1', 'l2', 'smooth_l1'\]"
    ):
        MaskedReconstructionLoss('huber')


def test_one_band_without_normalisation_is_the_l2_loss_in_time():
    transform = DCTTarget(8, 3, signal='joint')
    a, b = torch.randn(2, 2, 16, 4, 3)
    weight = torch.rand(2, 2, 4)
    frequency = FrequencyDecoupledLoss([24], normalize='none')(
        transform.encode(a), transform.encode(b), weight
    )
    cells_a, cells_b = (
        x.view(2, 2, 8, 4, 3).transpose(2, 3).flatten(3) for x in (a, b)
    )
    in_time = MaskedReconstructionLoss('l2')(cells_a, cells_b, weight)
    assert frequency.shape == (1,)
    assert frequency.item() == pytest.approx(in_time.item(), rel=1e-5)


def test_cell_normalisation_by_hand():
    # Bands of 1 and 2 values; root mean squares 2 and 5.
    target = torch.tensor([[2.0, 1.0, 7.0]])
    loss = FrequencyDecoupledLoss([1, 2], normalize='cell')
    errors = loss(torch.zeros(1, 3), target, torch.ones(1))
    assert errors.tolist() == pytest.approx([1.0, 1.0])
    assert loss.power.tolist() == pytest.approx([4.0, 25.0])


def test_band_normalisation_lets_fast_joints_count_more():
    target = torch.tensor([[1.0], [3.0]])  # powers 1 and 9, mean 5
    loss = FrequencyDecoupledLoss([1], normalize='band')
    slow = loss(torch.zeros(2, 1), target, torch.tensor([1.0, 1.0]))
    assert slow.item() == pytest.approx((1 / 5 + 9 / 5) / 2)


def test_band_normalisation_is_by_the_running_power():
    loss = FrequencyDecoupledLoss([1], normalize='band')
    loss(torch.zeros(1, 1), torch.full((1, 1), 1.0), torch.ones(1))
    # Powers 1 and 9: the mean of both batches is 5, the second error 9 / 5.
    error = loss(torch.zeros(1, 1), torch.full((1, 1), 3.0), torch.ones(1))
    assert error.item() == pytest.approx(9 / 5)


def test_band_normalisation_before_the_first_step_is_by_the_clips_at_hand():
    target = torch.tensor([[1.0], [3.0]])  # powers 1 and 9, mean 5
    loss = FrequencyDecoupledLoss([1], normalize='band').eval()
    for _ in range(2):  # no test leaves anything behind
        error = loss(torch.zeros(2, 1), target, torch.ones(2))
        assert error.item() == pytest.approx((1 / 5 + 9 / 5) / 2)


def test_power_is_the_mean_over_the_cells_of_all_ranks(monkeypatch):
    """Another rank has three cells of power 9 to our one of power 1."""
    monkeypatch.setattr(
        'fdmae_mm.models.losses.frequency_decoupled.all_reduce',
        lambda totals: totals.add_(torch.tensor([27.0, 3.0])),
    )
    loss = FrequencyDecoupledLoss([1])
    loss(torch.zeros(1, 1), torch.ones(1, 1), torch.ones(1))
    assert loss.power.item() == pytest.approx((1 + 27) / 4)


def test_a_still_cell_is_not_blown_up():
    target = torch.tensor([[10.0], [1e-3]])
    loss = FrequencyDecoupledLoss([1], normalize='cell', floor=0.01)
    loss(torch.zeros(2, 1), target, torch.ones(2))
    loss.eval()
    still = loss(torch.zeros(2, 1), target, torch.tensor([0.0, 1.0]))
    assert still.item() == pytest.approx(1e-6 / (0.01 * 50), rel=1e-3)


@pytest.mark.parametrize('normalize', ['cell', 'band'])
def test_scale_of_the_input_does_not_matter_once_power_has_settled(normalize):
    torch.manual_seed(0)
    target, pred = torch.randn(2, 6, 5)
    weight = torch.ones(6)
    results = []
    for scale in (1.0, 30.0):
        loss = FrequencyDecoupledLoss([2, 3], normalize=normalize)
        for _ in range(5):
            errors = loss(pred, target * scale, weight)
        results.append(errors)
    assert torch.allclose(*results, rtol=1e-4)


@pytest.mark.parametrize('normalize', ['cell', 'band', 'none'])
def test_a_band_without_power_is_finite(normalize):
    loss = FrequencyDecoupledLoss([1, 2], normalize=normalize)
    pred = torch.randn(4, 3, requires_grad=True)
    errors = loss(pred, torch.zeros(4, 3), torch.ones(4))
    errors.mean().backward()
    assert errors.isfinite().all()
    assert pred.grad.isfinite().all()


def test_running_power_is_the_average_then_moves_slowly():
    loss = FrequencyDecoupledLoss([1], momentum=0.5)
    for value, expected in ((1.0, 1.0), (3.0, 5.0), (3.0, 7.0)):
        loss(torch.zeros(1, 1), torch.full((1, 1), value), torch.ones(1))
        assert loss.power.item() == pytest.approx(expected)


def test_power_is_that_of_masked_cells_and_rests_in_eval():
    loss = FrequencyDecoupledLoss([1])
    target, weight = torch.tensor([[1.0], [100.0]]), torch.tensor([1.0, 0.0])
    loss(torch.zeros(2, 1), target, weight)
    loss.eval()(torch.zeros(2, 1), 5 * target, weight)
    assert loss.power.item() == pytest.approx(1.0)


def test_a_batch_without_weight_leaves_the_power_alone():
    loss = FrequencyDecoupledLoss([1])
    loss(torch.zeros(1, 1), torch.full((1, 1), 2.0), torch.ones(1))
    loss(torch.zeros(1, 1), torch.full((1, 1), 9.0), torch.zeros(1))
    assert (loss.power.item(), loss.num_batches.item()) == pytest.approx((4.0, 1.0))


def test_defaults_are_those_of_the_method():
    loss = FrequencyDecoupledLoss([1])
    assert (loss.normalize, loss.floor, loss.momentum) == ('cell', 0.01, 0.01)


def test_power_is_saved_in_the_state_dict():
    assert set(FrequencyDecoupledLoss([1, 2]).state_dict()) == {'power', 'num_batches'}


def test_unknown_normalisation_is_named():
    with pytest.raises(ValueError, match="normalize='patch'"):
        FrequencyDecoupledLoss([1], normalize='patch')


@pytest.mark.parametrize('shape', [(2, 4, 1, 6), (2, 4, 3, 1)])
@pytest.mark.parametrize(
    'loss', [MaskedReconstructionLoss(), FrequencyDecoupledLoss(band_sizes=[2, 4])]
)
def test_a_target_of_another_shape_is_not_broadcast(loss, shape):
    pred = torch.zeros(2, 4, 3, 6)
    with pytest.raises(ValueError, match=r'has shape .*the prediction \(2, 4, 3, 6\)'):
        loss(pred, torch.zeros(shape), torch.ones(2, 4, 3))
