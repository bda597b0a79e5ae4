import pytest
import torch

from fdmae_mm.models import CrossAttentionDecoder, SelfAttentionDecoder

SIZE = dict(
    in_dims=8,
    embed_dims=16,
    depth=2,
    num_heads=2,
    num_joints=3,
    clip_len=8,
    t_patch_size=2,
)


def mask_of(*masked):
    mask = torch.zeros(1, 12, dtype=torch.bool)
    mask[0, list(masked)] = True
    return mask


def test_cross_decoder_gives_one_feature_a_cell():
    decoder = CrossAttentionDecoder(**SIZE, windows=(8, 4, 2))
    cells = decoder(torch.randn(2, 5, 8), torch.zeros(2, 12, dtype=torch.bool))
    shapes = {w: tuple(c.shape) for w, c in cells.items()}
    assert shapes == {8: (2, 1, 3, 16), 4: (2, 2, 3, 16), 2: (2, 4, 3, 16)}


def test_windows_do_not_disturb_each_other():
    torch.manual_seed(0)
    both = CrossAttentionDecoder(**SIZE, windows=(4, 2)).eval()
    alone = CrossAttentionDecoder(**SIZE, windows=(4,)).eval()
    alone.load_state_dict(both.state_dict(), strict=False)
    tokens, mask = torch.randn(2, 5, 8), torch.zeros(2, 12, dtype=torch.bool)
    assert torch.allclose(both(tokens, mask)[4], alone(tokens, mask)[4], atol=1e-6)


@pytest.mark.parametrize(
    'kind, windows', [(CrossAttentionDecoder, (8, 4, 2)), (SelfAttentionDecoder, (2,))]
)
def test_asked_places_are_those_of_the_whole(kind, windows):
    torch.manual_seed(0)
    decoder = kind(**SIZE, windows=windows).eval()
    tokens, mask = torch.randn(2, 3, 8), mask_of(*range(9)).expand(2, -1)
    whole = decoder(tokens, mask)
    places = torch.tensor([2, 0])
    some = decoder(tokens, mask, {2: places})
    assert list(some) == [2]
    assert torch.allclose(some[2], whole[2][:, places], atol=1e-6)


def test_self_decoder_puts_tokens_at_their_places():
    torch.manual_seed(0)
    decoder = SelfAttentionDecoder(**{**SIZE, 'depth': 0}, windows=(2,))
    tokens, mask = torch.randn(1, 3, 8), mask_of(0, 1, 2, 3, 5, 6, 8, 9, 10)
    table = (decoder.temporal_tables['2'] + decoder.joint_table).flatten(1, 2)[0]
    cells = decoder(tokens, mask)[2].flatten(1, 2)[0]  # (L, D)
    for place, token in ((4, 0), (7, 1), (11, 2)):
        expected = decoder.norm(decoder.embed(tokens[0, token]) + table[place])
        assert torch.allclose(cells[place], expected, atol=1e-6)
    hidden = decoder.norm(decoder.mask_token[0, 0] + table[5])
    assert torch.allclose(cells[5], hidden, atol=1e-6)


def test_query_of_a_cell_is_its_time_and_its_joint():
    decoder = CrossAttentionDecoder(**{**SIZE, 'depth': 0}, windows=(4, 2))
    cells = decoder(torch.randn(1, 3, 8), mask_of(*range(9)))
    joints = decoder.joint_table[0, 0]
    for window, places in ((4, 2), (2, 4)):
        times = decoder.temporal_tables[str(window)][0, :, 0]
        assert times.shape == (places, 16)
        for time in range(places):
            for joint in range(3):
                expected = decoder.norm(times[time] + joints[joint])
                assert torch.allclose(cells[window][0, time, joint], expected)


@pytest.mark.parametrize('kind', [CrossAttentionDecoder, SelfAttentionDecoder])
def test_start_and_width_of_the_layers(kind):
    decoder = kind(**SIZE, windows=(2,), mlp_ratio=3)
    bound = (6 / (8 + 16)) ** 0.5  # Xavier: fan in and fan out
    assert 0.9 * bound < decoder.embed.weight.abs().max() <= bound
    assert not decoder.embed.bias.any()
    for block in decoder.blocks:
        assert block.mlp[0].weight.shape == (48, 16)
        assert not block.attn.qkv.bias.any()


@pytest.mark.parametrize('kind', [CrossAttentionDecoder, SelfAttentionDecoder])
def test_tokens_of_mixed_precision_are_decoded(kind):
    decoder = kind(**SIZE, windows=(2,)).eval()
    tokens, mask = torch.randn(1, 3, 8), mask_of(*range(9))
    expected = decoder(tokens, mask)[2]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        cells = decoder(tokens, mask)[2]
    assert torch.allclose(cells.float(), expected, atol=0.1)


@pytest.mark.parametrize('kind', [CrossAttentionDecoder, SelfAttentionDecoder])
def test_gradient_reaches_the_tokens(kind):
    decoder = kind(**SIZE, windows=(2,))
    tokens = torch.randn(1, 3, 8, requires_grad=True)
    decoder(tokens, mask_of(*range(9)))[2].square().sum().backward()
    assert (tokens.grad != 0).all()


@pytest.mark.parametrize('window', [3, 1, 16])
def test_window_must_fit_clip_and_patch(window):
    with pytest.raises(
        ValueError,
        match=f'window of {window} frames must be a multiple of t_patch_size=2',
    ):
        CrossAttentionDecoder(**SIZE, windows=(window,))


def test_self_decoder_serves_one_window():
    with pytest.raises(ValueError, match='Use CrossAttentionDecoder'):
        SelfAttentionDecoder(**SIZE, windows=(2, 4))
