import pytest
import torch

from fdmae_mm.engine.optim import SkeletonLayerDecayConstructor, layer_of
from fdmae_mm.models import FinetuneHead, SkeletonTransformer


@pytest.mark.parametrize(
    'name, layer',
    [
        ('backbone.patch_embed.weight', 0),
        ('backbone.joint_table', 0),
        ('backbone.blocks.0.norm1.weight', 1),
        ('backbone.blocks.11.mlp.0.bias', 12),
        ('backbone.norm.weight', 13),
        ('cls_head.fc.weight', 13),
    ],
)
def test_layer_of_a_parameter(name, layer):
    assert layer_of(name, top=13) == layer


def test_learning_rate_falls_by_layer_and_norms_do_not_decay():
    model = torch.nn.Module()
    model.backbone = SkeletonTransformer(
        embed_dims=8, depth=2, num_heads=2, num_joints=3, clip_len=4, frozen_stages=0
    )
    model.cls_head = FinetuneHead(2, 8, num_joints=3, hidden_dims=4)
    constructor = SkeletonLayerDecayConstructor(
        dict(
            type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1)
        ),
        paramwise_cfg=dict(layer_decay_rate=0.5),
    )
    groups = constructor(model).optimizer.param_groups
    found = {id(p): (g['lr'], g['weight_decay']) for g in groups for p in g['params']}
    expected = {
        'backbone.blocks.0.attn.qkv.weight': (0.25, 0.1),
        'backbone.blocks.1.attn.qkv.bias': (0.5, 0.0),
        'backbone.norm.weight': (1.0, 0.0),
        'cls_head.fc.weight': (1.0, 0.1),
        'cls_head.mlp.1.weight': (1.0, 0.0),
    }
    parameters = dict(model.named_parameters())
    for name, value in expected.items():
        assert found[id(parameters[name])] == value, name
    trained = {n for n, p in parameters.items() if p.requires_grad}
    assert len(found) == len(trained)
    assert 'backbone.patch_embed.weight' not in trained
