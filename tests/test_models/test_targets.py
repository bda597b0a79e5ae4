import pytest
import torch

from fdmae_mm.models import DCTTarget, HaarTarget, JointTarget, MotionTarget
from fdmae_mm.models.heads import scale_bands
from fdmae_mm.models.targets import motion


def test_motion_is_the_difference_to_the_next_frame_and_ends_with_zero():
    x = torch.tensor([1.0, 3.0, 2.0]).view(1, 3, 1, 1)
    assert motion(x).flatten().tolist() == [2.0, -1.0, 0.0]


def test_normalised_cell_by_hand():
    # Values 0 and 2: mean 1, unbiased variance 2.
    x = torch.tensor([0.0, 2.0]).view(1, 2, 1, 1)
    y = JointTarget(window=2, in_channels=1, normalize=True).encode(x)
    assert y.flatten().tolist() == pytest.approx([-(0.5**0.5), 0.5**0.5], abs=1e-6)


def test_a_cell_of_one_number_is_not_normalised():
    with pytest.raises(ValueError, match='window=1 frame and in_channels=1 is one'):
        MotionTarget(window=1, in_channels=1)


def test_cell_is_normalised_over_frames_and_coordinates():
    # Frames (0, 1) and (2, 5): mean 2, unbiased variance (4 + 1 + 0 + 9) / 3.
    x = torch.tensor([0.0, 1, 2, 5]).view(1, 2, 1, 2)
    y = JointTarget(window=2, in_channels=2, normalize=True).encode(x).flatten()
    std = (14 / 3) ** 0.5
    assert y.tolist() == pytest.approx([-2 / std, -1 / std, 0, 3 / std], abs=1e-5)


def test_a_nearly_still_cell_is_not_blown_up():
    # Mean 0.001, unbiased variance 2e-6, to which 1e-6 is added.
    x = torch.tensor([0.0, 0.002]).view(1, 2, 1, 1)
    y = JointTarget(window=2, in_channels=1, normalize=True).encode(x)
    assert y.flatten().tolist() == pytest.approx([-(3**-0.5), 3**-0.5], rel=1e-3)


def test_joints_are_as_they_are_and_motion_is_normalised_by_default():
    x = torch.tensor([0.0, 4.0]).view(1, 2, 1, 1)  # motion 4 and 0
    assert JointTarget(2, 1).encode(x).flatten().tolist() == [0, 4]
    y = MotionTarget(2, 1).encode(x).flatten()
    assert y.tolist() == pytest.approx([0.5**0.5, -(0.5**0.5)], abs=1e-6)
    y = DCTTarget(2, 1).encode(x).flatten()
    assert y.tolist() == pytest.approx([8**0.5, 8**0.5], abs=1e-6)


def test_a_target_adds_nothing_to_the_checkpoint():
    assert not DCTTarget(4).state_dict()


@pytest.mark.parametrize('window', [2, 4, 12])
@pytest.mark.parametrize(
    'build',
    [
        lambda w: JointTarget(w, 3),
        lambda w: JointTarget(w, 3, normalize=True),
        lambda w: MotionTarget(w, 3, normalize=False),
        lambda w: MotionTarget(w, 3),
        lambda w: DCTTarget(w, 3),
        lambda w: DCTTarget(w, 3, signal='joint'),
    ],
)
def test_decode_inverts_encode(build, window):
    target = build(window)
    x = torch.randn(2, 12, 5, 3)
    y = target.encode(x)
    assert y.shape == (2, 12 // window, 5, target.channels)
    signal = target.decode(y, x)
    assert torch.allclose(signal, target.signal(x), atol=1e-5)
    assert torch.allclose(target.joints(signal, x), x, atol=1e-5)


@pytest.mark.parametrize('window', [1, 2, 8, 24, 120])
def test_basis_times_its_transpose_is_the_identity(window):
    basis = DCTTarget(window, 3).basis
    assert torch.allclose(basis @ basis.T, torch.eye(window), atol=1e-5)


def test_coefficients_are_low_first_and_then_by_coordinate():
    x = torch.zeros(1, 4, 1, 2)
    x[..., 1] = 1.0  # constant: all energy in coefficient 0 of coordinate 1
    y = DCTTarget(4, 2, signal='joint').encode(x).flatten()
    assert y.tolist() == pytest.approx([0, 2, 0, 0, 0, 0, 0, 0], abs=1e-6)


def test_haar_wavelets_by_hand():
    x = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 4, 1, 1)
    y = HaarTarget(4, 1, signal='joint').encode(x).flatten()
    # The mean, the first half against the second, each half in itself.
    expected = [15 / 2, (3 - 12) / 2, (1 - 2) / 2**0.5, (4 - 8) / 2**0.5]
    assert y.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('window', [1, 2, 4, 32])
def test_haar_wavelets_are_orthonormal_and_of_no_mean(window):
    basis = HaarTarget(window, 1).basis
    assert torch.allclose(basis @ basis.T, torch.eye(window), atol=1e-5)
    sums = [window**0.5, *[0] * (window - 1)]
    assert basis.sum(1).tolist() == pytest.approx(sums, abs=1e-6)


def test_haar_levels_have_the_energy_of_the_bands_of_the_same_numbers():
    """A cosine in the middle of an octave is mostly that of its level."""
    frames = torch.arange(32) + 0.5
    for start, stop in ((2, 4), (4, 8), (8, 16), (16, 32)):
        k = (start + stop) // 2
        x = torch.cos(torch.pi * k * frames / 32).view(1, 32, 1, 1)
        energy = HaarTarget(32, 1, signal='joint').encode(x).flatten().square()
        shares = [energy[2**j : 2 ** (j + 1)].sum().item() for j in range(5)]
        assert max(shares) == energy[start:stop].sum().item()


@pytest.mark.parametrize(
    ('named', 'settings'),
    [
        ('window=12', dict(window=12)),
        ('start=3', dict(window=8, start=3)),
        ('stop=6', dict(window=8, stop=6)),
    ],
)
def test_a_level_of_haar_wavelets_is_not_cut(named, settings):
    with pytest.raises(ValueError, match=f'{named} of Haar wavelets must be a power'):
        HaarTarget(**settings)


@pytest.mark.parametrize('kind', [DCTTarget, HaarTarget])
def test_parseval_error_in_frequency_is_error_in_time(kind):
    target = kind(8, 3, signal='joint')
    a, b = torch.randn(2, 1, 16, 4, 3)
    in_time = (a - b).square().mean()
    in_frequency = (target.encode(a) - target.encode(b)).square().mean()
    assert in_frequency == pytest.approx(in_time.item(), rel=1e-5)


@pytest.mark.parametrize('window', [120, 24, 8])
def test_each_basis_function_lands_in_its_own_band(window):
    edges = (0, 1 / 48, 1 / 8, 1 / 2)
    full = DCTTarget(window, 1, signal='joint')
    for band, (start, stop) in enumerate(scale_bands(window, edges)):
        for k in range(start, stop):
            assert edges[band] <= k / (2 * window) + 1e-9 < edges[band + 1] + 1e-9
            y = full.encode(full.basis[k].view(1, window, 1, 1)).flatten()
            inside = y[start:stop].square().sum()
            assert inside == pytest.approx(1.0, abs=1e-4)
            assert y.square().sum() - inside < 1e-4


def test_bands_of_the_paper_size_count_as_many_numbers_as_frames():
    edges, windows = (0, 1 / 48, 1 / 8, 1 / 2), (120, 24, 8)
    sizes = [scale_bands(w, edges)[b] for b, w in enumerate(windows)]
    counts = [(hi - lo) * 120 // w for (lo, hi), w in zip(sizes, windows, strict=True)]
    assert counts == [5, 25, 90]


@pytest.mark.parametrize('window', [8, 20, 32])
def test_bands_leave_no_gap_and_no_overlap(window):
    ranges = scale_bands(window, (0, 1 / 48, 1 / 8, 1 / 2))
    assert [k for lo, hi in ranges for k in range(lo, hi)] == list(range(window))


def test_an_edge_that_rounding_puts_above_its_coefficient():
    assert 2 * 60 * (31 / 120) > 31
    assert scale_bands(60, (0, 31 / 120, 1 / 2)) == [(0, 31), (31, 60)]


@pytest.mark.parametrize(('kind', 'edge'), [(DCTTarget, 3), (HaarTarget, 2)])
def test_a_part_of_the_coefficients_decodes_to_that_part_of_the_signal(kind, edge):
    x = torch.randn(1, 8, 2, 3)
    low = kind(8, 3, signal='joint', start=0, stop=edge)
    high = kind(8, 3, signal='joint', start=edge)
    total = low.decode(low.encode(x), x) + high.decode(high.encode(x), x)
    assert torch.allclose(total, x, atol=1e-5)


def test_targets_stay_in_float32_under_autocast():
    x = torch.randn(1, 8, 2, 3)
    target = DCTTarget(8, 3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(target.encode(x), target.encode(x.clone()))
        y = target.encode(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, target.encode(x))


@pytest.mark.parametrize('start, stop', [(3, 3), (0, 0), (-1, 2), (0, 9)])
def test_range_of_coefficients_is_checked(start, stop):
    with pytest.raises(ValueError, match=r'must be a range within 0\.\.8'):
        DCTTarget(8, 3, start=start, stop=stop)


def test_unknown_signal_is_named():
    with pytest.raises(ValueError, match="signal='speed'"):
        DCTTarget(8, 3, signal='speed')
