import pytest
import torch

from fdmae_mm.models.layers import (
    TransformerBlock,
    cell_weight,
    frame_mask,
    gather_tokens,
    init_linear,
    patchify,
    position_table,
    present_sequences,
    unpatchify,
    visible_index,
)


def test_patchify_keeps_joints_apart_and_time_before_coordinate():
    x = torch.arange(8.0).view(1, 4, 2, 1)  # frame t, joint v holds 2 t + v
    assert patchify(x, 2).tolist() == [[[[0, 2], [1, 3]], [[4, 6], [5, 7]]]]


@pytest.mark.parametrize('shape', [(2, 12, 5, 3), (1, 4, 1, 2)])
@pytest.mark.parametrize('window', [1, 2, 4])
def test_unpatchify_inverts_patchify(shape, window):
    x = torch.randn(shape)
    assert torch.equal(unpatchify(patchify(x, window), window), x)


def test_patchify_names_a_window_that_does_not_divide():
    with pytest.raises(ValueError, match='window=3 must divide the 4 frames'):
        patchify(torch.zeros(1, 4, 1, 3), 3)


def test_visible_tokens_are_gathered_in_order():
    mask = torch.tensor([[True, False, False], [False, True, False]])
    index = visible_index(mask)
    assert index.tolist() == [[1, 2], [0, 2]]
    tokens = torch.arange(6.0).view(2, 3, 1)
    assert gather_tokens(tokens, index).squeeze(-1).tolist() == [[1, 2], [3, 5]]


def test_cell_weight_is_the_masked_share():
    # Four token times of two joints; cells of two tokens.
    mask = torch.tensor([[[1, 0], [1, 0], [0, 1], [1, 0]]], dtype=torch.bool)
    weight = cell_weight(mask.flatten(1), num_joints=2, tokens_per_cell=2)
    assert weight.tolist() == [[[1.0, 0.0], [0.5, 0.5]]]


def test_weight_of_a_token_is_its_mask():
    mask = torch.rand(3, 20) > 0.5
    weight = cell_weight(mask, num_joints=5, tokens_per_cell=1)
    assert torch.equal(weight.flatten(1), mask.float())


def test_a_masked_token_masks_its_joint_in_its_frames():
    mask = torch.tensor([[True, False, False, True]])  # 2 times, 2 joints
    frames = frame_mask(mask, num_joints=2, window=3)
    first, second = [[True, False]] * 3, [[False, True]] * 3
    assert frames.tolist() == [first + second]


def test_a_body_of_zeros_is_absent():
    x = torch.zeros(3, 4, 2, 3)
    x[1, 3, 1, 2] = -1.0
    assert present_sequences(x).tolist() == [False, True, False]


def test_attention_to_itself_as_context_is_self_attention():
    block = TransformerBlock(8, 2).eval()
    x = torch.randn(2, 5, 8)
    same = block.attn(x, context=x)
    assert torch.allclose(block.attn(x), same, atol=1e-6)


def test_attention_equals_the_softmax_formula():
    attn = TransformerBlock(8, 2).attn
    x = torch.randn(1, 5, 8)
    q, k, v = attn.qkv(x).view(1, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
    expected = ((q @ k.transpose(-2, -1)) / 2).softmax(-1) @ v
    expected = attn.proj(expected.transpose(1, 2).flatten(2))
    assert torch.allclose(attn(x), expected, atol=1e-6)


def test_queries_do_not_attend_to_each_other():
    block = TransformerBlock(8, 2).eval()
    context, x = torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    changed = x.clone()
    changed[:, 1:] += 1
    assert torch.allclose(block(x, context)[:, 0], block(changed, context)[:, 0])


def test_block_adds_what_attention_and_mlp_make_of_normalised_queries():
    """The context, which was normalised by its encoder, is read as it is."""
    block = TransformerBlock(8, 2, mlp_ratio=3).eval()
    assert block.mlp[0].out_features == 24
    with torch.no_grad():
        for norm in (block.norm1, block.norm2):
            norm.weight.uniform_(1, 2)
            norm.bias.uniform_(1, 2)
    x, context = torch.randn(2, 4, 8), torch.randn(2, 5, 8)
    expected = x + block.attn(block.norm1(x), context)
    expected = expected + block.mlp(block.norm2(expected))
    assert torch.allclose(block(x, context), expected, atol=1e-6)


@pytest.mark.parametrize('silent', ['attn', 'mlp'])
def test_both_paths_of_a_block_are_dropped_in_training(silent):
    """Half of them; what is kept counts twice, so that the mean stays."""
    torch.manual_seed(0)
    block = TransformerBlock(8, 2, drop_path=0.5)
    last = block.attn.proj if silent == 'attn' else block.mlp[2]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    x = torch.randn(64, 3, 8)
    whole, change = block.eval()(x) - x, block.train()(x) - x
    kept = torch.isclose(change, 2 * whole, atol=1e-5).flatten(1).all(1)
    dropped = (change == 0).flatten(1).all(1)
    assert (kept ^ dropped).all()
    assert 16 < kept.sum() < 48


def test_layers_start_as_those_of_vit_and_tables_near_zero():
    torch.manual_seed(0)
    linear = torch.nn.Linear(100, 200)
    init_linear(linear)
    bound = (6 / (100 + 200)) ** 0.5
    assert linear.weight.abs().max().item() == pytest.approx(bound, rel=1e-2)
    assert linear.weight.std().item() == pytest.approx(bound / 3**0.5, rel=2e-2)
    assert not linear.bias.any()
    table = position_table(1, 30, 1, 256)
    assert table.shape == (1, 30, 1, 256)
    assert table.std().item() == pytest.approx(0.02, rel=0.05)


def test_heads_must_divide_the_width():
    with pytest.raises(
        ValueError, match='embed_dims=10 must be a multiple of num_heads=4'
    ):
        TransformerBlock(10, 4)
