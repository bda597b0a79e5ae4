import pytest
import torch
from mmengine.optim import DefaultOptimWrapperConstructor

from fdmae_mm.engine.optim import (
    GroupedOptimWrapperConstructor,
    SkeletonLayerDecayConstructor,
    layer_of,
)
from fdmae_mm.models import FinetuneHead, SkeletonTransformer


def settings_of(optimizer):
    return {
        id(parameter): (group['lr'], group['weight_decay'])
        for group in optimizer.param_groups
        for parameter in group['params']
    }


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


def test_position_tables_do_not_decay():
    """Those of a decoder are one for each window."""
    model = torch.nn.Module()
    model.backbone = SkeletonTransformer(
        embed_dims=8, depth=1, num_heads=2, num_joints=3, clip_len=4
    )
    tables = {str(w): torch.nn.Parameter(torch.ones(1, w, 8)) for w in (2, 4)}
    model.decoder = torch.nn.Module()
    model.decoder.temporal_tables = torch.nn.ParameterDict(tables)
    constructor = SkeletonLayerDecayConstructor(
        dict(optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1)),
        paramwise_cfg=dict(layer_decay_rate=0.5),
    )
    found = settings_of(constructor(model).optimizer)
    for name, parameter in model.named_parameters():
        if 'table' in name:
            assert found[id(parameter)][1] == 0, name


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
    found = settings_of(constructor(model).optimizer)
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


def test_position_tables_are_of_the_first_layer_and_do_not_decay():
    model = torch.nn.Module()
    model.backbone = SkeletonTransformer(
        embed_dims=8, depth=2, num_heads=2, num_joints=3, clip_len=4
    )
    constructor = SkeletonLayerDecayConstructor(
        dict(
            type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1)
        ),
        paramwise_cfg=dict(layer_decay_rate=0.5),
    )
    found = settings_of(constructor(model).optimizer)
    for table in (model.backbone.joint_table, model.backbone.temporal_table):
        assert found[id(table)] == (0.125, 0.0)
    assert found[id(model.backbone.patch_embed.weight)] == (0.125, 0.1)


@pytest.mark.parametrize(
    'rules',
    [None, {}, dict(layer_decay=0.5), dict(layer_decay_rate=0.5, norm_decay_mult=0.0)],
)
def test_layer_decay_takes_its_rate_and_nothing_else(rules):
    config = dict(optimizer=dict(type='AdamW', lr=1.0))
    with pytest.raises(ValueError) as error:
        SkeletonLayerDecayConstructor(config, rules)
    assert f'paramwise_cfg={rules}' in str(error.value)
    assert 'must be dict(layer_decay_rate=...)' in str(error.value)


def test_layer_decay_asks_for_blocks():
    model = torch.nn.Module()
    model.backbone = torch.nn.GRU(2, 3)
    config = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0))
    constructor = SkeletonLayerDecayConstructor(config, dict(layer_decay_rate=0.5))
    with pytest.raises(ValueError, match=r'GRU has no blocks.*DefaultOptimWrapper'):
        constructor(model)


def test_layer_decay_asks_for_a_rate():
    config = dict(optimizer=dict(type='AdamW'))
    with pytest.raises(ValueError, match=r'has no lr, of which .*optimizer\.lr\.'):
        SkeletonLayerDecayConstructor(config, dict(layer_decay_rate=0.5))


def decayed(**optimizer):
    """A model of one block, and its optimizer with half the rate a layer."""
    model = torch.nn.Module()
    model.backbone = SkeletonTransformer(
        embed_dims=8, depth=1, num_heads=2, num_joints=3, clip_len=4
    )
    config = dict(type='OptimWrapper', optimizer=optimizer)
    constructor = SkeletonLayerDecayConstructor(config, dict(layer_decay_rate=0.5))
    return model, constructor(model).optimizer


def test_without_weight_decay_the_default_of_the_optimizer_holds():
    model, optimizer = decayed(type='SGD', lr=1.0)
    assert {group['weight_decay'] for group in optimizer.param_groups} == {0}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # not with weight_decay=None


def test_rates_are_shares_of_the_given_one_and_adamw_decays_by_default():
    model, optimizer = decayed(type='AdamW', lr=0.2)
    found = settings_of(optimizer)
    embed = model.backbone.patch_embed
    assert found[id(embed.weight)] == (0.05, 0.01)
    assert found[id(embed.bias)] == (0.05, 0)


def test_parameters_of_the_same_settings_share_a_group():
    torch.manual_seed(0)
    size = dict(embed_dims=8, depth=2, num_heads=2, num_joints=3, clip_len=4)
    config = dict(
        type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1)
    )
    rules = dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys=dict(patch_embed=dict(lr_mult=0.5)),
    )
    model = SkeletonTransformer(**size)
    one_each = DefaultOptimWrapperConstructor(config, rules)(model).optimizer
    merged = GroupedOptimWrapperConstructor(config, rules)(model).optimizer
    assert len(one_each.param_groups) == len(list(model.parameters()))
    assert len(merged.param_groups) == 3
    assert settings_of(one_each) == settings_of(merged)


def test_settings_of_a_group_may_be_lists():
    model = torch.nn.Sequential(*(torch.nn.Linear(1, 1) for _ in range(3)))
    config = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0))
    betas = dict(betas=[0.9, 0.99])
    rules = dict(custom_keys={'0': betas, '2': betas})
    groups = GroupedOptimWrapperConstructor(config, rules)(model).optimizer.param_groups
    found = [(list(group['betas']), len(group['params'])) for group in groups]
    assert sorted(found) == [([0.9, 0.99], 4), ([0.9, 0.999], 2)]


def test_groups_of_other_values_stay_apart():
    model = torch.nn.Sequential(*(torch.nn.Linear(1, 1) for _ in range(3)))
    config = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0))
    rules = dict(custom_keys={'0': dict(lr_mult=0.5), '2': dict(lr_mult=0.1)})
    groups = GroupedOptimWrapperConstructor(config, rules)(model).optimizer.param_groups
    found = [(group['lr'], len(group['params'])) for group in groups]
    assert sorted(found) == [(0.1, 2), (0.5, 2), (1.0, 2)]


def test_without_rules_there_is_one_group():
    model = SkeletonTransformer(embed_dims=8, depth=1, num_heads=2)
    config = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1.0))
    (group,) = GroupedOptimWrapperConstructor(config)(model).optimizer.param_groups
    assert len(group['params']) == len(list(model.parameters()))
