import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope, init_default_scope

from fdmae_mm.datasets.layouts import layout_from_joints
from fdmae_mm.models.targets import motion
from fdmae_mm.visualization import joint_errors, plot_joint_errors, time_heads

JOINTS, FRAMES, PATCH = 3, 16, 2
EDGES = (0, 1 / 8, 1 / 2)


@pytest.fixture(autouse=True)
def mmaction_scope():
    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmaction')


def build(target, monkeypatch, wrong=None):
    """A model; with ``wrong`` its head knows the signal and adds this to it."""
    size = dict(embed_dims=8, depth=1, num_heads=2)
    model = MODELS.build(
        dict(
            type='SkeletonMAE',
            backbone=dict(
                type='SkeletonTransformer',
                num_joints=JOINTS,
                clip_len=FRAMES,
                t_patch_size=PATCH,
                **size,
            ),
            decoder=dict(type='CrossAttentionDecoder', **size),
            heads=dict(
                time=dict(
                    type='WindowHead',
                    window=8,
                    target=target,
                    loss=dict(type='MaskedReconstructionLoss'),
                ),
                frequency=dict(type='FrequencyHead', windows=(16, 8), band_edges=EDGES),
            ),
        )
    )
    head = model.heads['time']
    if wrong is not None:
        monkeypatch.setattr(
            head, 'predict', lambda x, cells: head.target.signal(x) + wrong
        )
    return model


def batch(x, hidden=None):
    """Clips (N, M, T, V, C), with the last two joints or tokens of a share hidden."""
    samples = []
    for clip in x:
        sample = ActionDataSample()
        mask = torch.zeros(1, len(clip), FRAMES // PATCH, JOINTS, dtype=torch.bool)
        if hidden is None:
            mask[..., 1:] = True
        else:
            mask[:, :, :hidden, 1:] = True
        sample.set_field(mask.flatten(2), 'mask')
        samples.append(sample)
    return dict(inputs=list(x[:, None]), data_samples=samples)


@pytest.mark.parametrize('hidden', [None, 3])
def test_positions_wrong_by_a_known_amount_on_one_joint(monkeypatch, hidden):
    wrong = torch.zeros(JOINTS, 3)
    wrong[2] = torch.tensor([3.0, 0.0, 4.0])
    model = build(dict(type='JointTarget', normalize=False), monkeypatch, wrong)
    x = torch.randn(2, 2, FRAMES, JOINTS, 3)
    x[1, 1] = 0  # an absent person
    errors = joint_errors(model, [batch(x, hidden), batch(x[:1], hidden)])
    assert errors.signal == 'joint'
    # The first joint is never masked: there is no error of it.
    np.testing.assert_allclose(errors.distance, [np.nan, 0, 5], atol=1e-6)
    assert errors.error.shape == (0, JOINTS)
    # Of x, y and a score, x and y.
    errors = joint_errors(model, [batch(x, hidden)], num_coordinates=2)
    np.testing.assert_allclose(errors.distance, [np.nan, 0, 3], atol=1e-6)


def test_motion_wrong_by_a_known_amount_on_one_joint(monkeypatch):
    wrong = torch.zeros(JOINTS, 3)
    wrong[1] = torch.tensor([0.0, 0.6, 0.8])
    model = build(dict(type='MotionTarget', normalize=False), monkeypatch, wrong)
    errors = joint_errors(model, [batch(torch.randn(2, 1, FRAMES, JOINTS, 3))])
    assert errors.signal == 'motion'
    np.testing.assert_allclose(errors.distance, [np.nan, 1, 0], atol=1e-5)
    # Positions are its sum: 0, 1, ..., 15 frames of 1.
    errors = joint_errors(
        model, [batch(torch.randn(2, 1, FRAMES, JOINTS, 3))], signal='joint'
    )
    np.testing.assert_allclose(errors.distance, [np.nan, 7.5, 0], atol=1e-5)


def test_a_head_of_zeros_misses_all_and_a_half_a_quarter(monkeypatch):
    model = build(dict(type='MotionTarget', normalize=False), monkeypatch)
    head = model.heads['time']
    x = torch.randn(2, 1, FRAMES, JOINTS, 3)
    for share in (0.0, 0.5):
        monkeypatch.setattr(
            head, 'predict', lambda x, cells, share=share: share * motion(x)
        )
        errors = joint_errors(model, [batch(x)], band_edges=EDGES)
        missed = errors.error / errors.power
        np.testing.assert_allclose(missed[:, 1:], (1 - share) ** 2, rtol=1e-4)
        np.testing.assert_allclose(missed[:, 0], 0, atol=1e-9)
    # Parseval: bands hold all the energy.
    energy = motion(x[:, 0]).square().sum((0, 1, 3))
    np.testing.assert_allclose(errors.power.sum(0), energy, rtol=1e-5)


def test_an_error_of_one_band_lands_in_it(monkeypatch):
    """Two basis functions of the low band, so mixed that the last frame is 0."""
    t = np.arange(FRAMES)
    one, two = (
        np.cos(np.pi * (2 * t + 1) * k / (2 * FRAMES)) * (2 / FRAMES) ** 0.5
        for k in (1, 2)
    )
    wrong = torch.zeros(FRAMES, JOINTS, 3)
    mixed = one - two * one[-1] / two[-1]
    wrong[:, 2, 1] = torch.from_numpy(mixed)
    model = build(dict(type='MotionTarget', normalize=False), monkeypatch, wrong)
    x = torch.randn(1, 1, FRAMES, JOINTS, 3)
    errors = joint_errors(model, [batch(x)], band_edges=EDGES)
    energy = 1 + (one[-1] / two[-1]) ** 2
    np.testing.assert_allclose(
        errors.error, [[0, 0, energy], [0, 0, 0]], atol=1e-6, rtol=1e-5
    )


def test_what_a_normalised_target_gives_away_is_shown(monkeypatch):
    """Motion that is the same in a whole cell is given by the cell's mean."""
    target = dict(type='MotionTarget', normalize=True)
    model = build(target, monkeypatch)
    x = torch.arange(FRAMES).view(1, 1, -1, 1, 1).expand(1, 1, FRAMES, JOINTS, 3)
    errors = joint_errors(model, [batch(1.0 + x)], band_edges=EDGES)
    silent = (errors.silent / errors.power)[0, 1:]
    assert (silent < 0.05).all()  # all but the last frame, whose motion is 0


def test_bad_names_are_refused(monkeypatch):
    model = build(dict(type='MotionTarget'), monkeypatch)
    assert time_heads(model) == ['time']
    with pytest.raises(KeyError, match=r"head='frequency': .* \['time'\]"):
        joint_errors(model, [], head='frequency')
    with pytest.raises(ValueError, match="signal='speed' must be"):
        joint_errors(model, [], signal='speed')
    with pytest.raises(ValueError, match='Linear has no time-domain head'):
        time_heads(torch.nn.Linear(1, 1))


def test_figure_shows_every_head_and_band(monkeypatch):
    layout = layout_from_joints(
        'three', ['pelvis', 'left_hand', 'right_hand'], [[1, 0], [2, 0]]
    )
    model = build(dict(type='MotionTarget'), monkeypatch)
    x = torch.randn(2, 1, FRAMES, JOINTS, 3)
    errors = joint_errors(model, [batch(x)], band_edges=EDGES)
    pose = np.array([[0, 0], [1, 1], [-1, 1.0]])
    figure = plot_joint_errors(dict(a=errors, b=errors), pose, layout, EDGES)
    bodies = [ax for ax in figure.axes if ax.lines]
    assert len(bodies) == 6
    assert [ax.get_ylabel() for ax in bodies if ax.get_ylabel()] == ['a', 'b']
    assert bodies[1].get_title() == '0 to 1/8\ncycles a frame'
    shown = bodies[1].collections[0].get_array()
    np.testing.assert_allclose(shown, np.sort(errors.error[0] / errors.power[0]))
    distances = bodies[0].collections[0]
    shown = np.ma.filled(distances.get_array(), np.nan)
    np.testing.assert_allclose(np.sort(shown), np.sort(errors.distance))
    assert distances.norm.vmax == pytest.approx(np.nanmax(errors.distance))
    # Without bands a head a column, all of one scale.
    errors = joint_errors(model, [batch(x)])
    worse = errors._replace(distance=2 * errors.distance)
    figure = plot_joint_errors(dict(a=errors, b=worse), pose, layout)
    bodies = [ax for ax in figure.axes if ax.lines]
    assert [ax.get_ylabel() for ax in bodies] == ['a', 'b']
    largest = pytest.approx(np.nanmax(worse.distance))
    assert [ax.collections[0].norm.vmax for ax in bodies] == [largest, largest]
    other = errors._replace(signal='joint')
    with pytest.raises(ValueError, match=r"\['joint', 'motion'\]"):
        plot_joint_errors(dict(a=errors, b=other), pose, layout)
