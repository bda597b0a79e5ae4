import pytest
import torch
from mmengine.model import BaseModule

from fdmae_mm.models import LinearProbeHead, SkeletonTransformer

SMALL = dict(embed_dims=16, depth=2, num_heads=2, num_joints=5, clip_len=8)


def build(**kwargs):
    torch.manual_seed(0)
    return SkeletonTransformer(**{**SMALL, **kwargs}).eval()


@pytest.mark.parametrize('persons', [1, 2, 3])
@pytest.mark.parametrize(
    'joints, frames, channels, patch', [(5, 8, 3, 4), (17, 12, 2, 3), (1, 6, 3, 1)]
)
def test_any_persons_joints_frames_and_channels(
    persons, joints, frames, channels, patch
):
    model = build(
        num_joints=joints, clip_len=frames, in_channels=channels, t_patch_size=patch
    )
    x = torch.randn(2, persons, frames, joints, channels)
    assert model(x).shape == (2, persons, 16, frames // patch, joints)


def test_stock_gcn_head_takes_the_features():
    from mmaction.models import GCNHead

    feats = build()(torch.randn(3, 2, 8, 5, 3))
    head = GCNHead(num_classes=4, in_channels=16)
    assert head(feats).shape == (3, 4)


def test_masked_tokens_are_not_seen():
    model = build()
    x = torch.randn(1, 8, 5, 3)
    mask = torch.zeros(1, 10, dtype=torch.bool)
    mask[0, [0, 7]] = True  # joint 0 of frames 0..3, joint 2 of frames 4..7
    changed = x.clone()
    changed[0, :4, 0] = 9.0
    changed[0, 4:, 2] = 9.0
    tokens = model.forward_tokens(x, mask)
    assert tokens.shape == (1, 8, 16)
    assert torch.equal(tokens, model.forward_tokens(changed, mask))
    changed[0, 0, 1] = 9.0  # a visible one
    assert not torch.allclose(tokens, model.forward_tokens(changed, mask))


def test_an_empty_mask_sees_everything():
    model = build()
    x = torch.randn(2, 8, 5, 3)
    mask = torch.zeros(2, 10, dtype=torch.bool)
    assert torch.allclose(model.forward_tokens(x), model.forward_tokens(x, mask))


def test_average_over_persons_is_that_of_the_present():
    model = build()
    one = torch.randn(1, 1, 8, 5, 3)
    two = torch.cat([one, torch.zeros_like(one)], dim=1)
    assert torch.allclose(model(two).mean(1), model(one).mean(1), atol=1e-6)


def test_whoever_comes_first_may_be_absent():
    model = build()
    one, nobody = torch.randn(1, 1, 8, 5, 3), torch.zeros(1, 1, 8, 5, 3)
    feats = model(torch.cat([nobody, one, nobody], dim=1))
    expected = model(one).expand_as(feats)
    assert torch.allclose(feats, expected, atol=1e-6)


def test_a_feature_stands_at_the_time_and_the_joint_of_its_token():
    model = build()
    x = torch.randn(2, 2, 8, 5, 3)
    feats = model(x)  # (N, M, D, T', V)
    tokens = model.forward_tokens(x.flatten(0, 1)).view(2, 2, 10, 16)
    for time in range(2):
        for joint in range(5):
            expected = tokens[:, :, 5 * time + joint]
            assert torch.allclose(feats[..., time, joint], expected, atol=1e-6)


def test_the_start_is_that_of_mamp():
    model = build(embed_dims=128, in_channels=3, t_patch_size=4, num_joints=25)
    # Linear layers are Xavier-uniform without biases, but for the embedding, which is
    # uniform within 1 / sqrt(fan in), as a convolution of PyTorch.
    for block in model.blocks:
        for linear in (block.attn.qkv, block.attn.proj, block.mlp[0], block.mlp[2]):
            bound = (6 / sum(linear.weight.shape)) ** 0.5
            assert linear.weight.abs().max().item() == pytest.approx(bound, rel=1e-2)
            assert not linear.bias.any()
    embed, bound = model.patch_embed, 12**-0.5
    assert embed.weight.abs().max().item() == pytest.approx(bound, rel=1e-2)
    assert 0.9 * bound < embed.bias.abs().max() <= bound
    assert model.joint_table.std().item() == pytest.approx(0.02, rel=0.05)


def test_defaults_are_those_of_mamp():
    model = SkeletonTransformer()
    heads = model.blocks[0].attn.num_heads
    assert (model.embed_dims, len(model.blocks), heads) == (256, 8, 8)
    assert (model.clip_len, model.t_patch_size, model.num_joints) == (120, 4, 25)


def test_later_blocks_are_dropped_more_often():
    model = build(depth=3, drop_path_rate=0.4)
    rates = [getattr(block.drop_path, 'drop_prob', 0) for block in model.blocks]
    assert rates == pytest.approx([0, 0.2, 0.4])


def test_absent_persons_cost_nothing(monkeypatch):
    model = build()
    seen = []
    forward = model.forward_tokens
    monkeypatch.setattr(
        model, 'forward_tokens', lambda x, mask=None: seen.append(len(x)) or forward(x)
    )
    x = torch.randn(4, 2, 8, 5, 3)
    x[1:, 1] = 0
    model(x)
    assert seen == [5]


def test_absent_persons_are_encoded_on_request():
    model = build(encode_absent=True)
    one = torch.randn(1, 1, 8, 5, 3)
    two = torch.cat([one, torch.zeros_like(one)], dim=1)
    expected = (model(one)[:, 0] + model(torch.zeros_like(one))[:, 0]) / 2
    assert torch.allclose(model(two).mean(1), expected, atol=1e-6)


def test_a_clip_of_zeros_has_finite_features_and_leaves_others_alone():
    model = build()
    x = torch.randn(2, 2, 8, 5, 3)
    alone = model(x[:1])
    x[1] = 0
    feats = model(x)
    assert feats.isfinite().all()
    assert torch.allclose(feats[:1], alone, atol=1e-6)


@pytest.mark.parametrize('stages', [0, 1, 2])
def test_frozen_stages_get_no_gradient_and_stay_in_eval(stages):
    model = build(frozen_stages=stages, drop_path_rate=0.5).train()
    model(torch.randn(2, 1, 8, 5, 3)).sum().backward() if stages < 2 else None
    trained = {
        n.split('.')[0] + n.split('.')[1] * n.startswith('blocks')
        for n, p in model.named_parameters()
        if p.requires_grad
    }
    expected = {f'blocks{i}' for i in range(stages, 2)} | (
        {'norm'} if stages < 2 else set()
    )
    assert trained == expected
    assert [b.training for b in model.blocks] == [i >= stages for i in range(2)]


@pytest.mark.parametrize(
    'shape, message',
    [
        ((1, 1, 8, 6, 3), 'num_joints=6, the backbone was built for num_joints=5'),
        ((1, 1, 12, 5, 3), 'clip_len=12, the backbone was built for clip_len=8'),
        ((1, 1, 8, 5, 2), 'in_channels=2, the backbone was built for in_channels=3'),
    ],
)
def test_input_that_does_not_fit_is_named(shape, message):
    with pytest.raises(ValueError, match=message):
        build()(torch.ones(shape))


def test_clip_len_must_be_a_multiple_of_the_patch():
    with pytest.raises(
        ValueError, match='clip_len=10 must be a multiple of t_patch_size=4'
    ):
        build(clip_len=10)


def test_frozen_stages_must_exist():
    with pytest.raises(
        ValueError, match='frozen_stages=3 must lie between -1 and depth=2'
    ):
        build(frozen_stages=3)


def test_weights_of_another_shape_are_refused(tmp_path):
    class Wrapper(BaseModule):
        def __init__(self):
            super().__init__()
            self.backbone = build(num_joints=7)

    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict=Wrapper().state_dict()), path)
    model = build(init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone.'))
    with pytest.raises(ValueError, match=r'joint_table has shape \(1, 1, 7, 16\)'):
        model.init_weights()


def test_weights_of_another_depth_are_refused():
    deep, shallow = build(depth=3), build(depth=2)
    with pytest.raises(ValueError, match=r'3 in the checkpoint and 2 .*set depth=3'):
        shallow.load_state_dict(deep.state_dict(), strict=False)
    with pytest.raises(ValueError, match=r'2 in the checkpoint and 3 .*set depth=2'):
        deep.load_state_dict(shallow.state_dict(), strict=False)
    model = torch.nn.ModuleDict(dict(backbone=shallow))
    weights = torch.nn.ModuleDict(dict(backbone=deep)).state_dict()
    with pytest.raises(ValueError, match=r'backbone\.blocks: 3'):
        model.load_state_dict(weights, strict=False)


def test_a_part_of_the_weights_is_refused():
    model = build()
    weights = model.state_dict()
    del weights['joint_table'], weights['blocks.0.norm1.bias']
    with pytest.raises(
        ValueError, match=r"lacks \['joint_table', 'blocks\.0\.norm1\.bias'\]"
    ):
        model.load_state_dict(weights, strict=False)


def test_weights_of_another_encoder_are_refused():
    model = torch.nn.ModuleDict(dict(backbone=build()))
    other = torch.nn.ModuleDict(dict(backbone=torch.nn.GRU(2, 3)))
    with pytest.raises(ValueError, match=r"lacks \['backbone\."):
        model.load_state_dict(other.state_dict(), strict=False)
    with pytest.raises(ValueError, match=r"lacks \['"):
        model.backbone.load_state_dict(other.backbone.state_dict(), strict=False)
    # Weights of a head say nothing of the encoder.
    model.load_state_dict({'cls_head.weight': torch.zeros(1)}, strict=False)


def test_probe_head_matches_the_backbone():
    head = LinearProbeHead(num_classes=3, in_channels=16)
    assert head(build()(torch.randn(4, 2, 8, 5, 3))).shape == (4, 3)


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('t_patch_size', 0),
        ('t_patch_size', -4),
        ('t_patch_size', 2.0),
        ('depth', 0),
        ('num_heads', 0),
        ('num_joints', True),
    ],
)
def test_counts_are_whole_numbers_above_0(field, value):
    with pytest.raises(ValueError, match=f'{field}={value} must be a whole number'):
        build(**{field: value})


def test_patches_are_dropped_in_training_alone_and_alike_of_each_joint():
    model = build(clip_len=40, t_patch_size=4, patch_drop_rate=0.6)
    x = torch.randn(3, 2, 40, 5, 3)
    whole = build(clip_len=40, t_patch_size=4)(x)
    assert torch.equal(model(x), whole)
    # Tokens as they are embedded: what is kept can be looked up.
    model.blocks, model.norm = torch.nn.ModuleList(), torch.nn.Identity()
    tokens = model(x)  # (N, M, D, 10, V)
    kept = model.train()(x)
    assert kept.shape == (3, 2, 16, 4, 5)
    same = (kept.unsqueeze(3) == tokens.unsqueeze(4)).all(2)  # (N, M, 10, 4, V)
    assert torch.equal(same.sum(2), torch.ones(3, 2, 4, 5))
    places = same.int().argmax(2)
    assert (places.diff(dim=2) > 0).all()
    # Other places in another joint, clip and step.
    assert not torch.equal(places[..., 0], places[..., 1])
    assert not torch.equal(places[0], places[1])
    assert not torch.equal(kept, model(x))


def test_a_patch_of_each_joint_is_always_kept():
    model = build(patch_drop_rate=0.9).train()  # two patches
    assert model(torch.randn(2, 1, 8, 5, 3)).shape == (2, 1, 16, 1, 5)


def test_a_share_of_patches_is_rounded():
    # 30 * (1 - 0.9) is a little less than 3.
    model = build(clip_len=120, patch_drop_rate=0.9).train()
    assert model(torch.randn(2, 1, 120, 5, 3)).shape == (2, 1, 16, 3, 5)


@pytest.mark.parametrize('name', ['drop_path_rate', 'patch_drop_rate'])
@pytest.mark.parametrize('rate', [-0.1, 1.0])
def test_rates_lie_below_1(name, rate):
    with pytest.raises(ValueError, match=rf'{name}={rate} must lie in \[0, 1\)'):
        build(**{name: rate})
