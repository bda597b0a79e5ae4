import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope, init_default_scope

from fdmae_mm.datasets.layouts import layout_from_joints
from fdmae_mm.models.layers.transformer import Attention
from fdmae_mm.visualization import attention_map, attention_weights, plot_attention

JOINTS, FRAMES, PATCH = 5, 8, 2
TOKENS = FRAMES // PATCH * JOINTS


@pytest.fixture(autouse=True)
def mmaction_scope():
    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmaction')


def build(decoder='CrossAttentionDecoder', windows=(8, 4)):
    torch.manual_seed(0)
    size = dict(embed_dims=16, depth=2, num_heads=2)
    loss = dict(type='MaskedReconstructionLoss')
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
            decoder=dict(type=decoder, **size),
            heads={
                f'time{w}': dict(
                    type='WindowHead',
                    window=w,
                    target=dict(type='MotionTarget'),
                    loss=loss,
                )
                for w in windows
            },
        )
    )
    for parameter in model.parameters():  # far from uniform
        torch.nn.init.normal_(parameter, std=0.5)
    return model.eval()


def batch(clips=2, persons=2, visible=8):
    torch.manual_seed(1)
    samples = []
    for _ in range(clips):
        sample = ActionDataSample()
        order = torch.rand(1, persons, TOKENS).argsort(-1)
        sample.set_field(order >= visible, 'mask')
        samples.append(sample)
    inputs = torch.randn(clips, 1, persons, FRAMES, JOINTS, 3)
    inputs[-1, :, 1:] = 0  # one person is absent
    return dict(inputs=list(inputs), data_samples=samples)


@pytest.mark.parametrize('context', [None, torch.randn(3, 4, 16)])
def test_weights_times_values_are_what_the_module_gives(context):
    attention = Attention(16, num_heads=2)
    x = torch.randn(3, 6, 16)
    weights = attention_weights(attention, x, context)
    keys = x if context is None else context
    assert weights.shape == (3, 2, 6, keys.shape[1])
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 6))
    values = attention.qkv(keys)[..., 32:].unflatten(-1, (2, -1)).transpose(1, 2)
    out = attention.proj((weights @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(out, attention(x, context))


@pytest.mark.parametrize('window, row', [(8, 0), (4, 1)])
def test_query_cell_of_the_cross_decoder(window, row):
    """Against the whole matrix of weights, cut as the decoder cuts its cells."""
    model, data = build(), batch(clips=1, persons=1)
    block = model.decoder.blocks[-1]
    seen = []
    handle = block.attn.register_forward_pre_hook(lambda m, args: seen.append(args))
    mask = data['data_samples'][0].mask[0]
    x = data['inputs'][0][0]
    model.decoder(model.backbone.forward_tokens(x, mask), mask)
    handle.remove()
    (weights,) = attention_weights(block.attn, *seen[0]).mean(1)  # (queries, S)
    cells = dict(zip((4, 8), weights.split([2 * JOINTS, JOINTS]), strict=True))
    expected = cells[window].unflatten(0, (-1, JOINTS))[row, 3]
    found = attention_map(model, [data], joint=3, frame=5, window=window)
    assert found.source == 'decoder' and found.frames == (4 * row, 4 * row + window)
    ratio = torch.from_numpy(found.ratio).flatten()
    assert torch.equal(ratio.isnan(), mask[0])
    torch.testing.assert_close(ratio[~mask[0]].float(), 8 * expected)


def test_query_cell_of_the_encoder():
    model, data = (
        build('SelfAttentionDecoder', windows=(PATCH,)),
        batch(clips=1, persons=1),
    )
    block = model.backbone.blocks[-1]
    seen = []
    handle = block.attn.register_forward_pre_hook(lambda m, args: seen.append(args))
    model.backbone.forward_tokens(data['inputs'][0][0])
    handle.remove()
    weights = attention_weights(block.attn, *seen[0]).mean(1)[0]
    expected = weights.view(FRAMES // PATCH, JOINTS, FRAMES // PATCH, JOINTS)[2, 3]
    found = attention_map(model, [data], joint=3, frame=5)
    assert found.source == 'encoder' and found.frames == (4, 6)
    np.testing.assert_allclose(found.ratio, TOKENS * expected.detach(), rtol=1e-4)


@pytest.mark.parametrize('decoder', ['CrossAttentionDecoder', 'SelfAttentionDecoder'])
def test_attention_without_a_preference_is_one_everywhere(decoder):
    model = build(decoder, (4,) if decoder.startswith('Cross') else (PATCH,))
    for module in model.modules():
        if isinstance(module, Attention):
            torch.nn.init.zeros_(module.qkv.weight)
            torch.nn.init.zeros_(module.qkv.bias)
    found = attention_map(model, [batch(), batch()], joint=0, frame=0)
    np.testing.assert_allclose(found.ratio[~np.isnan(found.ratio)], 1, rtol=1e-6)
    # No hook stays behind.
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_bad_queries_are_named():
    model = build()
    for kwargs, match in (
        (dict(joint=5, frame=0), 'joint=5'),
        (dict(joint=0, frame=8), 'frame=8'),
        (dict(joint=0, frame=0, window=2), r'window=2: the model has \(4, 8\)'),
    ):
        with pytest.raises(ValueError, match=match):
            attention_map(model, [batch()], **kwargs)


def test_figure_shows_the_map_and_its_mean():
    names = ['pelvis', 'head', 'left_hand', 'right_hand', 'neck']
    edges = [[1, 0], [2, 0], [3, 0], [4, 0]]
    layout = layout_from_joints('five', names, edges)
    found = attention_map(build(), [batch(clips=8)], joint=3, frame=5)
    pose = np.random.default_rng(0).normal(size=(JOINTS, 2))
    figure = plot_attention(found, pose, layout, FRAMES)
    grid, body = figure.axes[:2]
    labels = [label.get_text().replace(' ', '_') for label in grid.get_yticklabels()]
    assert sorted(labels) == sorted(names)
    shown = grid.images[0].get_array()[labels.index('neck')]
    np.testing.assert_allclose(shown, found.ratio[:, 4])
    values = np.sort(np.nanmean(found.ratio, axis=0))
    np.testing.assert_allclose(body.collections[0].get_array(), values)
    # The query is marked in both.
    (cell,) = grid.patches
    assert (cell.get_x(), cell.get_width()) == (4, 4)
    assert labels[round(cell.get_y() + 0.5)] == 'right_hand'
    np.testing.assert_allclose(body.lines[-1].get_xydata(), pose[3:4])
