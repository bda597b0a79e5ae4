import copy

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch.utils._python_dispatch import TorchDispatchMode

from fdmae_mm.models import FDMAE

BACKBONE = dict(
    type='SkeletonTransformer',
    embed_dims=16,
    depth=1,
    num_heads=2,
    num_joints=5,
    clip_len=16,
    t_patch_size=2,
)
TIME = dict(
    type='WindowHead',
    window=2,
    target=dict(type='MotionTarget'),
    loss=dict(type='MaskedReconstructionLoss'),
)
FREQUENCY = dict(type='FrequencyHead', windows=(16, 4), band_edges=(0, 1 / 8, 1 / 2))
SELF = dict(type='SelfAttentionDecoder', embed_dims=8, depth=1, num_heads=2)
CROSS = dict(type='CrossAttentionDecoder', embed_dims=8, depth=1, num_heads=2)


def build(kind='FDMAE', **kwargs):
    torch.manual_seed(0)
    config = dict(
        type=kind,
        backbone=BACKBONE,
        decoder=CROSS,
        heads=dict(time=TIME, frequency=FREQUENCY),
    )
    if kind == 'FDMAE':
        config['momentum_head'] = dict(type='MomentumHead')
    model = MODELS.build(copy.deepcopy({**config, **kwargs}))
    model.init_weights()
    return model


def batch(size=2, clips=1, persons=2, frames=16, joints=5, channels=3, patch=2):
    torch.manual_seed(1)
    inputs = torch.randn(size, clips, persons, frames, joints, channels)
    tokens = frames // patch * joints
    samples = []
    for _ in range(size):
        sample = ActionDataSample()
        for key in ('mask', 'teacher_mask'):
            order = torch.rand(clips, persons, tokens).argsort(-1)
            sample.set_field(order < tokens * 3 // 4, key)
        samples.append(sample)
    return inputs, samples


@pytest.mark.parametrize('kind', ['SkeletonMAE', 'FDMAE'])
@pytest.mark.parametrize(
    'size, clips, persons, channels', [(2, 1, 2, 3), (1, 3, 1, 2), (2, 2, 3, 3)]
)
def test_any_clips_persons_and_channels_train(kind, size, clips, persons, channels):
    model = build(kind, backbone={**BACKBONE, 'in_channels': channels})
    losses = model.loss(*batch(size, clips, persons, channels=channels))
    loss, _ = model.parse_losses(losses)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize('kind', ['SkeletonMAE', 'FDMAE'])
def test_a_training_step_decodes_some_cells_and_a_test_all(kind):
    model = build(kind, max_cells=2)
    asked = []
    forward = model.decoder.forward
    model.decoder.forward = lambda *args: asked.append(args[2]) or forward(*args)
    inputs, samples = batch()
    for _ in range(20):
        loss, _ = model.parse_losses(model.loss(inputs, samples))
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    # One cell of 16 frames, two of four, two of eight: other ones at each step.
    assert all(places[16] == slice(None) for places in asked)
    for window, count in ((4, 4), (2, 8)):
        drawn = torch.stack([places[window] for places in asked])
        assert drawn.shape == (20, 2)
        assert (drawn[:, 0] != drawn[:, 1]).all()
        assert drawn.unique().tolist() == list(range(count))
    model.eval().loss(inputs, samples)
    assert asked[-1] == dict.fromkeys((2, 4, 16), slice(None))


def test_the_mean_over_drawn_cells_is_the_loss_over_all():
    whole, some = build('SkeletonMAE'), build('SkeletonMAE', max_cells=1)
    inputs, samples = batch(persons=1)
    for sample in samples:  # every cell counts the same
        sample.mask = torch.arange(40).view(1, 1, 8, 5).remainder(5).flatten(2) > 0
    expected = whole.loss(inputs, samples)['loss_time'].item()
    drawn = [some.loss(inputs, samples)['loss_time'].item() for _ in range(200)]
    assert len({round(value, 5) for value in drawn}) == 8
    each = sorted({round(value, 5) for value in drawn})
    assert sum(each) / 8 == pytest.approx(expected, rel=1e-4)


def test_a_drawn_cell_counts_by_its_own_share():
    model = build('SkeletonMAE', heads=dict(time=TIME), max_cells=3)
    inputs, samples = batch()
    head, seen = model.heads['time'], []
    loss_of = head.loss
    head.loss = lambda x, cells: seen.append(cells[2]) or loss_of(x, cells)
    model.loss(inputs, samples)
    mask = torch.stack([s.mask for s in samples]).view(4, 8, 5).float()
    (cells,) = seen
    assert cells.places.shape == (3,)
    assert torch.equal(cells.weight, mask[:, cells.places])


@pytest.mark.parametrize('max_cells', [0, -1, 2.5])
def test_max_cells_must_be_one_or_more(max_cells):
    with pytest.raises(ValueError, match=f'max_cells={max_cells} must be a whole'):
        build('SkeletonMAE', max_cells=max_cells)


def test_momentum_path_decodes_the_windows_of_its_head_alone():
    model = build(momentum_head=dict(type='MomentumHead', windows=(4,)))
    inputs, samples = batch()
    asked = []
    decoder = model.teacher['decoder']
    forward = decoder.forward
    decoder.forward = lambda *args: asked.append(args[2]) or forward(*args)
    model.loss(inputs, samples)
    assert asked == [{4: slice(None)}]


def test_momentum_head_takes_the_windows_of_all_heads():
    assert build().momentum_head.windows == (2, 4, 16)


def test_momentum_head_has_windows_of_its_own():
    heads = dict(time=TIME)
    model = build(heads=heads, momentum_head=dict(type='MomentumHead', windows=(8,)))
    assert model.windows == [2, 8]
    assert model.loss(*batch())['loss_momentum'] > 0


def test_only_losses_are_added_up():
    model = build()
    losses = model.loss(*batch())
    loss, logs = model.parse_losses(losses)
    terms = [v for k, v in losses.items() if k.startswith('loss_')]
    assert set(losses) == {
        'loss_time',
        'loss_frequency',
        'loss_momentum',
        'frequency_w16_band0',
        'frequency_w4_band1',
        'masked_share',
    }
    assert loss.item() == pytest.approx(sum(terms).item(), rel=1e-6)
    assert logs['masked_share'] == pytest.approx(0.75)


def test_head_names_must_not_be_added_up():
    with pytest.raises(ValueError, match="no name may contain 'loss'"):
        build(heads=dict(lossy=TIME))


def test_logs_of_a_head_must_not_be_added_up():
    model = build()
    loss_of = model.heads['time'].loss
    model.heads['time'].loss = lambda x, cells: (
        loss_of(x, cells)[0],
        dict(loss_extra=torch.ones(())),
    )
    with pytest.raises(ValueError, match=r"'time' logs \['loss_extra'\]"):
        model.loss(*batch())


def test_no_head_takes_the_name_of_the_momentum_path():
    with pytest.raises(ValueError, match=r"heads=\['momentum'\].*give the head ano"):
        build(heads=dict(momentum=TIME))


def test_mamp_is_a_configuration_of_the_same_class():
    model = build('SkeletonMAE', decoder=SELF, heads=dict(time=TIME))
    assert set(model.loss(*batch())) == {'loss_time', 'masked_share'}


def test_loss_depends_on_the_masked_coordinates_alone_through_the_target():
    model = build('SkeletonMAE', decoder=SELF, heads=dict(time=TIME)).eval()
    inputs, samples = batch(size=1, persons=1)
    for sample in samples:
        sample.mask = torch.ones(1, 1, 40, dtype=torch.bool)
        sample.mask[..., :5] = False  # the first token of every joint is visible
    model.heads['time'].target = JOINTS
    base = model.loss(inputs, samples)['loss_time']
    later = inputs.clone()
    later[:, :, :, 2:] += 1.0
    assert model.loss(later, samples)['loss_time'] > base


class _Joints(torch.nn.Module):
    def encode(self, x):
        n, t, v, c = x.shape
        return x.view(n, t // 2, 2, v, c).transpose(2, 3).flatten(3)


JOINTS = _Joints()


def test_absent_persons_carry_no_loss():
    inputs, samples = batch(persons=2)
    inputs[:, :, 1] = 0
    alone = inputs[:, :, :1]
    masks = copy.deepcopy(samples)
    for sample in masks:
        sample.mask, sample.teacher_mask = (
            sample.mask[:, :1],
            sample.teacher_mask[:, :1],
        )
    both = build().loss(inputs, samples)
    one = build().loss(alone, masks)
    for name, value in one.items():
        assert both[name].item() == pytest.approx(value.item(), rel=1e-5), name


class Waits(TorchDispatchMode):
    """Counts what a host must wait for a GPU for: sizes and values of results."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        indices = args[1] if func is torch.ops.aten.index.Tensor else ()
        self.count += func in (
            torch.ops.aten.nonzero.default,
            torch.ops.aten._local_scalar_dense.default,
        ) or any(index is not None and index.dtype == torch.bool for index in indices)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(('kind', 'looks'), [('SkeletonMAE', 2), ('FDMAE', 3)])
def test_a_step_waits_for_who_is_present_and_for_each_mask(kind, looks, monkeypatch):
    model = build(kind)
    monkeypatch.setattr(model, '_check_counts', lambda mask, key: None)  # first alone
    with Waits() as waits:
        model.loss(*batch())
    assert waits.count == looks


def test_absent_persons_are_sequences_on_request():
    model = build(backbone={**BACKBONE, 'encode_absent': True})
    inputs, samples = batch(persons=2)
    inputs[:, :, 1] = 0
    sequences = model.sequences(inputs, samples)
    assert torch.equal(sequences.x, inputs.flatten(0, 2))
    assert sequences.valid.tolist() == [1, 1, 1, 1]
    mask = torch.stack([sample.mask for sample in samples]).flatten(0, 2)
    assert torch.equal(sequences.masks['mask'], mask)


def test_a_mask_is_that_of_its_sequence():
    inputs, samples = batch(size=2, clips=2, persons=3)
    inputs[0, 1, 1] = 0
    sequences = build().sequences(inputs, samples)
    there = inputs.flatten(3).any(-1).nonzero().tolist()
    assert len(there) == len(sequences.x) == 11
    for row, (b, k, m) in enumerate(there):
        assert torch.equal(sequences.x[row], inputs[b, k, m])
        for key, mask in sequences.masks.items():
            assert torch.equal(mask[row], samples[b].get(key)[k, m])


def test_a_batch_without_anyone_has_zero_loss_and_gradients():
    inputs, samples = batch()
    model = build()
    loss, _ = model.parse_losses(model.loss(torch.zeros_like(inputs), samples))
    loss.backward()
    assert loss == 0
    assert all(p.grad is not None for p in model.parameters())


def test_teacher_moves_by_the_formula():
    model = build()
    old = {k: v.clone() for k, v in model.teacher.state_dict().items()}
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p))
    model.update_teacher(0.1)
    online = model.state_dict()
    assert old
    for name, value in model.teacher.state_dict().items():
        expected = old[name] + 0.1 * (online[name] - old[name])
        assert torch.allclose(value, expected, atol=1e-6), name


def test_momentum_one_makes_the_teacher_a_copy():
    model = build()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p))
    model.update_teacher(1.0)
    online = model.state_dict()
    for name, value in model.teacher.state_dict().items():
        assert torch.equal(value, online[name]), name


def test_teacher_starts_as_a_copy_of_the_loaded_weights(tmp_path):
    other = build('SkeletonMAE')
    path = str(tmp_path / 'pretrained.pth')
    torch.save(dict(state_dict=other.state_dict()), path)
    pretrained = dict(type='Pretrained', checkpoint=path, prefix='backbone.')
    model = build(backbone={**BACKBONE, 'init_cfg': pretrained})
    table = model.teacher['backbone'].joint_table
    assert torch.equal(table, other.backbone.joint_table)


def test_teacher_starts_as_a_copy_of_drawn_weights():
    init_cfg = dict(type='TruncNormal', layer='Linear', std=0.1)
    model = build(backbone={**BACKBONE, 'init_cfg': init_cfg})
    online = model.state_dict()
    for name, value in model.teacher.state_dict().items():
        assert torch.equal(value, online[name]), name


def test_buffers_of_the_teacher_are_copied():
    model = build()
    model.backbone.register_buffer('count', torch.tensor(7))
    model.teacher['backbone'].register_buffer('count', torch.tensor(0))
    model.update_teacher(0.1)
    assert model.teacher['backbone'].count == 7


@pytest.mark.parametrize('view', ['masked', 'full'])
@pytest.mark.parametrize('decoder', [SELF, CROSS], ids=['self', 'cross'])
def test_teacher_is_what_it_was_while_the_online_path_moves(view, decoder):
    model = build(teacher_view=view, decoder=decoder, heads=dict(time=TIME)).eval()
    inputs, samples = batch()
    sequences, places = model.sequences(inputs, samples), {2: slice(None)}
    # It still is a copy.
    x, mask = sequences.x, torch.stack([s.teacher_mask for s in samples]).view(4, 40)
    if view == 'full':
        mask = torch.zeros_like(mask)
    expected = model.decoder(model.backbone.forward_tokens(x, mask), mask)[2]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    found = model.teacher_cells(sequences, places)[2]
    assert torch.allclose(found, expected, atol=1e-5)


def test_teacher_is_out_of_reach_of_any_optimizer_and_gradient():
    model = build()
    assert not [n for n, _ in model.named_parameters() if n.startswith('teacher')]
    loss, _ = model.parse_losses(model.loss(*batch()))
    loss.backward()
    assert all(b.grad is None for b in model.teacher.buffers())


def test_teacher_stays_in_eval_mode():
    model = build().train()
    assert not any(m.training for m in model.teacher.modules())
    assert model.backbone.training


def test_teacher_is_saved_under_the_names_of_the_online_path():
    names = set(build().state_dict())
    teacher = {n.removeprefix('teacher.') for n in names if n.startswith('teacher.')}
    online = {n for n in names if n.startswith(('backbone.', 'decoder.'))}
    assert teacher == online


def test_the_teacher_is_asked_for_the_cells_that_are_compared():
    model = build(max_cells=2)
    inputs, samples = batch()
    for sample in samples:
        sample.teacher_mask = sample.mask
    asked = []
    loss = model.momentum_head.loss
    model.momentum_head.loss = lambda *args: asked.append(args) or loss(*args)
    for _ in range(5):  # the cells are drawn, in any order
        model.loss(inputs, samples)
    for cells, teacher in asked:
        assert cells[2].features.shape[1] == 2
        for window in teacher:
            assert torch.allclose(cells[window].features, teacher[window], atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_a_teacher_in_half_precision_is_refused(dtype):
    model = build().to(dtype)
    model.update_teacher(1.0)
    with pytest.raises(ValueError, match=r'table is torch.*float16.*--amp'):
        model.update_teacher(0.1)


def test_a_model_in_half_precision_takes_the_clips_of_a_loader():
    inputs, samples = batch()
    head = {**TIME, 'target': dict(type='JointTarget')}
    model = build('SkeletonMAE', heads=dict(time=head, frequency=FREQUENCY)).eval()
    with torch.no_grad():
        expected, _ = model.parse_losses(model.loss(inputs, samples))
        whole = model.reconstruct(inputs, samples)
        model.bfloat16()
        found, _ = model.parse_losses(model.loss(inputs, samples))
    assert found.item() == pytest.approx(expected.item(), rel=0.02)
    assert torch.allclose(model.reconstruct(inputs, samples), whole, atol=0.1)


def test_full_view_shows_the_teacher_everything():
    model = build(teacher_view='full')
    inputs, samples = batch(size=1, persons=1)
    seen = []
    teacher = model.teacher['backbone']
    forward = teacher.forward_tokens
    teacher.forward_tokens = lambda *args: seen.append(forward(*args)) or seen[-1]
    del samples[0].teacher_mask  # not needed
    model.loss(inputs, samples)
    assert seen[0].shape[1] == 40


def test_masked_view_is_another_one():
    model = build()
    inputs, samples = batch(size=1, persons=1)
    first = model.loss(inputs, samples)
    samples[0].teacher_mask = samples[0].teacher_mask.flip(-1)
    second = model.loss(inputs, samples)
    assert first['loss_time'] == second['loss_time']
    assert first['loss_momentum'] != second['loss_momentum']


def test_momentum_path_is_blind_to_what_its_mask_hides():
    model = build().eval()
    inputs, samples = batch(size=1, persons=1)
    places = dict.fromkeys(model.windows, slice(None))
    cells = model.teacher_cells(model.sequences(inputs, samples), places)
    hidden = samples[0].teacher_mask.view(8, 5).repeat_interleave(2, 0)
    changed = inputs + 5.0 * hidden.view(1, 1, 1, 16, 5, 1)
    again = model.teacher_cells(model.sequences(changed, samples), places)
    assert all(torch.equal(cells[w], again[w]) for w in cells)


def test_unknown_view_is_named():
    with pytest.raises(ValueError, match="teacher_view='half'"):
        build(teacher_view='half')


def test_reconstruction_keeps_what_was_visible():
    model = build(
        'SkeletonMAE', heads=dict(time={**TIME, 'target': dict(type='JointTarget')})
    )
    inputs, samples = batch()
    inputs[0, :, 1] = 0
    out = model.reconstruct(inputs, samples)
    mask = torch.stack([s.mask for s in samples]).unflatten(-1, (8, 5))
    visible = ~mask.repeat_interleave(2, dim=3).unsqueeze(-1).expand_as(inputs)
    assert torch.equal(out[visible], inputs[visible])
    assert not torch.allclose(out[~visible], inputs[~visible])
    assert (out[0, :, 1] == 0).all()


def test_reconstruction_is_that_of_the_named_head():
    head = {**TIME, 'target': dict(type='JointTarget')}
    model = build('SkeletonMAE', heads=dict(time=head, other=head))
    torch.nn.init.zeros_(model.heads['other'].project.weight)
    torch.nn.init.ones_(model.heads['other'].project.bias)
    inputs, samples = batch()
    out = model.reconstruct(inputs, samples, head='other')
    mask = torch.stack([s.mask for s in samples]).unflatten(-1, (8, 5))
    hidden = mask.repeat_interleave(2, dim=3)
    assert (out[hidden] == 1).all()
    assert not (out[~hidden] == 1).any()


def test_a_prediction_stands_at_its_own_frames():
    model = build(heads=dict(time={**TIME, 'target': dict(type='JointTarget')}))
    model.heads['time'].predict = lambda x, features: x + 1
    inputs, samples = batch()
    for sample in samples:  # which a picture does not need
        del sample.teacher_mask
    out = model.reconstruct(inputs, samples)
    mask = torch.stack([s.mask for s in samples]).unflatten(-1, (8, 5))
    hidden = mask.repeat_interleave(2, dim=3).unsqueeze(-1)
    assert torch.equal(out, torch.where(hidden, inputs + 1, inputs))


def test_motion_reconstruction_starts_at_the_first_frame():
    inputs, samples = batch()
    out = build().reconstruct(inputs, samples)
    assert torch.equal(out[:, :, :, 0], inputs[:, :, :, 0])


def test_a_missing_mask_says_what_to_add():
    inputs, samples = batch()
    del samples[0].teacher_mask
    with pytest.raises(
        KeyError, match="add a masking transform with key='teacher_mask'"
    ):
        build().loss(inputs, samples)


def test_a_mask_of_numbers_is_refused():
    """Its complement would be -1 and -2, all of them true: nothing was hidden."""
    inputs, samples = batch()
    for sample in samples:
        sample.mask = sample.mask.long()
    with pytest.raises(ValueError, match=r"'mask' is of type torch.int64"):
        build().loss(inputs, samples)


def test_masks_of_different_counts_are_refused():
    """Their tokens would be taken for those of other sequences."""
    inputs, samples = batch()
    hidden = samples[1].mask[0, 1].nonzero()[:2, 0]
    samples[1].mask[0, 1, hidden] = False
    count = int(samples[0].mask[0, 0].sum())
    with pytest.raises(
        ValueError, match=f"'mask' hides from {count - 2} to {count} tokens"
    ):
        build().loss(inputs, samples)


def test_a_mask_of_another_shape_is_named():
    inputs, samples = batch()
    samples[0].mask = samples[0].mask[:, :1]
    with pytest.raises(ValueError, match=r"'mask' has shape \(1, 1, 40\)"):
        build().loss(inputs, samples)


@pytest.mark.parametrize('tokens', [20, 80])
def test_a_mask_of_another_patch_is_named(tokens):
    inputs, samples = batch()
    for sample in samples:
        sample.mask = sample.mask.repeat(1, 1, 2)[..., :tokens]
    message = rf"'mask' is of {tokens} tokens.* makes 40 of .*set t_patch_size of"
    with pytest.raises(ValueError, match=message):
        build().loss(inputs, samples)


def test_a_pretraining_model_cannot_be_tested():
    model = build()
    with pytest.raises(ValueError, match='FDMAE has no classification head'):
        model(*batch(), mode='predict')


def test_features_of_the_encoder():
    inputs, _ = batch(size=2, clips=3)
    assert build()(inputs, mode='tensor').shape == (6, 2, 16, 8, 5)


@pytest.mark.parametrize('kind', ['SkeletonMAE', 'FDMAE'])
def test_recognizers_take_their_preprocessor(kind):
    config = dict(type='ActionDataPreprocessor', mean=[1.0], std=[2.0])
    model = build(kind, data_preprocessor=config)
    assert model.data_preprocessor.mean.item() == 1
    assert model.data_preprocessor.std.item() == 2


def test_recognizers_accept_no_typo():
    with pytest.raises(TypeError, match='teacher_veiw'):
        build(teacher_veiw='full')
    assert issubclass(FDMAE, torch.nn.Module)
