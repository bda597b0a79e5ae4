"""MAMP's weights in our classes, held to MAMP's equations; safetensors files.

The reference below is written from the equations of the paper and the names of the
weights; it shares nothing with the package.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import CheckpointLoader, load_checkpoint

from fdmae_mm.apis import load_model
from fdmae_mm.apis import test as run_test
from fdmae_mm.apis.checkpoints import (
    convert_checkpoint,
    from_mamp,
    read_checkpoint,
    to_mamp,
)
from fdmae_mm.weights import save_safetensors

CONFIGS = Path(__file__).parents[2] / 'configs'
# No two sizes are equal, so that no two axes can be confused.
C, P, STEPS, V = 3, 4, 5, 7
DIMS, DEPTH, HIDDEN = 16, 2, 48
WIDTH, DECODER_DEPTH, DECODER_HIDDEN = 24, 3, 72
CLASSES, HEAD_HIDDEN = 9, 20
HEADS = 4
KINDS = ['pretrain', 'finetune', 'linear']


def linear(name, outputs, inputs):
    return {f'{name}.weight': (outputs, inputs), f'{name}.bias': (outputs,)}


def norm(name, dims):
    return {f'{name}.weight': (dims,), f'{name}.bias': (dims,)}


def statistics(name, dims):
    return {
        f'{name}.running_mean': (dims,),
        f'{name}.running_var': (dims,),
        f'{name}.num_batches_tracked': (),
    }


def blocks(name, depth, dims, hidden):
    shapes = {}
    for i in range(depth):
        block = f'{name}.{i}'
        shapes |= norm(f'{block}.norm1', dims) | norm(f'{block}.norm2', dims)
        shapes |= linear(f'{block}.attn.qkv', 3 * dims, dims)
        shapes |= linear(f'{block}.attn.proj', dims, dims)
        shapes |= linear(f'{block}.mlp.fc1', hidden, dims)
        shapes |= linear(f'{block}.mlp.fc2', dims, hidden)
    return shapes


def mamp_weights(kind, channels=C):
    """Random weights by MAMP's names, far from their start."""
    shapes = {
        'temp_embed': (1, STEPS, 1, DIMS),
        'pos_embed': (1, 1, V, DIMS),
        'joints_embed.proj.weight': (DIMS, channels, P, 1),
        'joints_embed.proj.bias': (DIMS,),
        **blocks('blocks', DEPTH, DIMS, HIDDEN),
        **norm('norm', DIMS),
    }
    if kind == 'pretrain':
        shapes |= {
            'mask_token': (1, 1, WIDTH),
            'decoder_temp_embed': (1, STEPS, 1, WIDTH),
            'decoder_pos_embed': (1, 1, V, WIDTH),
            **linear('decoder_embed', WIDTH, DIMS),
            **blocks('decoder_blocks', DECODER_DEPTH, WIDTH, DECODER_HIDDEN),
            **norm('decoder_norm', WIDTH),
            **linear('decoder_pred', P * channels, WIDTH),
        }
    elif kind == 'finetune':
        shapes |= {
            **norm('head.bn', HEAD_HIDDEN),
            **statistics('head.bn', HEAD_HIDDEN),
            **linear('head.fc1', HEAD_HIDDEN, V * DIMS),
            **linear('head.fc2', CLASSES, HEAD_HIDDEN),
        }
    else:
        shapes |= {
            **statistics('head.fc.0', DIMS),
            **linear('head.fc.1', CLASSES, DIMS),
        }
    torch.manual_seed(0)
    weights = {name: 0.3 * torch.randn(shape) for name, shape in shapes.items()}
    for name in weights:
        if name.endswith('running_var'):
            weights[name] = weights[name].abs() + 0.5
        elif name.endswith('num_batches_tracked'):
            weights[name] = torch.tensor(1234)
    return weights


def affine(x, w, name):
    return x @ w[f'{name}.weight'].T + w[f'{name}.bias']


def layer_norm(x, w, name):
    x = x - x.mean(-1, keepdim=True)
    x = x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return x * w[f'{name}.weight'] + w[f'{name}.bias']


def transformer(x, w, name, depth):
    """x += attention(norm(x)), x += mlp(norm(x)); attention softmax(q k' / d^.5) v."""
    for i in range(depth):
        block = f'{name}.{i}'
        packed = affine(layer_norm(x, w, f'{block}.norm1'), w, f'{block}.attn.qkv')
        q, k, v = packed.view(*x.shape[:2], 3, HEADS, -1).unbind(2)
        scores = torch.einsum('nlhd,nshd->nhls', q, k) / q.shape[-1] ** 0.5
        heads = torch.einsum('nhls,nshd->nlhd', scores.softmax(-1), v)
        x = x + affine(heads.flatten(2), w, f'{block}.attn.proj')
        y = affine(layer_norm(x, w, f'{block}.norm2'), w, f'{block}.mlp.fc1')
        x = x + affine(F.gelu(y), w, f'{block}.mlp.fc2')
    return x


def encode(x, w, mask):
    """(N, T, V, C) -> (N, L_visible, D)."""
    kernel = w['joints_embed.proj.weight']
    x = F.conv2d(x.permute(0, 3, 1, 2), kernel, w['joints_embed.proj.bias'], (P, 1))
    x = x.permute(0, 2, 3, 1) + w['temp_embed'] + w['pos_embed']
    x = x.flatten(1, 2)[~mask].view(len(mask), -1, DIMS)
    return layer_norm(transformer(x, w, 'blocks', DEPTH), w, 'norm')


def predict(tokens, w, mask):
    """Visible tokens -> prediction of every token, (N, L, p * C)."""
    x = w['mask_token'].repeat(*mask.shape, 1)
    x[~mask] = affine(tokens, w, 'decoder_embed').flatten(0, 1)
    x = x + (w['decoder_temp_embed'] + w['decoder_pos_embed']).flatten(1, 2)
    x = transformer(x, w, 'decoder_blocks', DECODER_DEPTH)
    return affine(layer_norm(x, w, 'decoder_norm'), w, 'decoder_pred')


def batch_norm(x, w, name, eps):
    return (x - w[f'{name}.running_mean']) / (w[f'{name}.running_var'] + eps).sqrt()


def classify(x, w, kind):
    """(N, M, T, V, C) -> class scores; every body counts, also one of zeros."""
    n, m = x.shape[:2]
    x = x.flatten(0, 1)
    x = encode(x, w, torch.zeros(n * m, STEPS * V, dtype=torch.bool))
    x = x.view(n, m, STEPS, V, DIMS)
    if kind == 'linear':
        x = batch_norm(x.mean((1, 2, 3)), w, 'head.fc.0', 1e-6)
        return affine(x, w, 'head.fc.1')
    x = affine(x.mean((1, 2)).flatten(1), w, 'head.fc1')
    x = batch_norm(x, w, 'head.bn', 1e-5) * w['head.bn.weight'] + w['head.bn.bias']
    return affine(x.relu(), w, 'head.fc2')


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Recognizers that are built outside a Runner need MMAction2's scope."""
    if DefaultScope.get_current_instance() is None:
        init_default_scope('mmaction')


@pytest.fixture
def mamp_file(tmp_path):
    """Writes a file as MAMP's code does; gives its path."""

    def write(kind, weights=None, **args):
        weights = mamp_weights(kind) if weights is None else weights
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))])
        checkpoint = dict(
            model=weights,
            optimizer=optimizer.state_dict(),
            epoch=399,
            scaler=dict(scale=65536.0),
            args=argparse.Namespace(
                **(dict(model_args=dict(num_heads=HEADS)) | args), lr=1e-3
            ),
        )
        path = tmp_path / f'{kind}.pth'
        torch.save(checkpoint, path)
        return str(path)

    return write


@pytest.fixture
def convert(mamp_file, tmp_path, capsys):
    """Converts a file by the command; gives the model as its user gets it."""

    def run(kind, **args):
        out = str(tmp_path / 'converted' / f'{kind}.pth')
        assert convert_checkpoint([mamp_file(kind, **args), out]) == 0
        printed = capsys.readouterr().out
        parser = argparse.ArgumentParser()
        parser.add_argument('--cfg-options', nargs='+', action=DictAction)
        options = ['--cfg-options', *printed.partition('--cfg-options ')[2].split()]
        options = parser.parse_args(options[: options.index('written:')]).cfg_options
        name = printed.partition('configs/')[2].partition(',')[0]
        cfg = Config.fromfile(CONFIGS / name)
        cfg.merge_from_dict(options)
        model = MODELS.build(cfg.model).eval()
        load_checkpoint(model, out, strict=True)
        return model

    return run


def clips(persons):
    torch.manual_seed(1)
    return torch.randn(3, persons, STEPS * P, V, C)


def masks(masked):
    torch.manual_seed(2)
    order = torch.rand(3, STEPS * V).argsort(1)
    return order < masked


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].dtype == b[name].dtype, name
        assert torch.equal(a[name], b[name]), name


def test_a_kernel_with_time_last_becomes_a_row_with_the_coordinate_last():
    weights = mamp_weights('linear', channels=2)
    # Coordinate c at frame t of a token has the weight 10 c + t.
    kernel = torch.tensor([[0.0, 1, 2, 3], [10, 11, 12, 13]])
    weights['joints_embed.proj.weight'][5] = kernel.unsqueeze(-1)
    row = from_mamp(weights).weights['backbone.patch_embed.weight'][5]
    assert row.tolist() == [0, 10, 1, 11, 2, 12, 3, 13]


@pytest.mark.parametrize('masked', [0, 30])
def test_pretrained_features_and_predictions_are_those_of_mamp(convert, masked):
    model, weights = convert('pretrain'), mamp_weights('pretrain')
    x, mask = clips(1)[:, 0], masks(masked)
    with torch.no_grad():
        tokens = model.backbone.forward_tokens(x, mask)
        cells = model.decoder(tokens, mask)[P]
        pred = model.heads['time'].project(cells).flatten(1, 2)
    expected = encode(x, weights, mask)
    torch.testing.assert_close(tokens, expected, rtol=0, atol=1e-5)
    expected = predict(expected, weights, mask)
    assert expected.std() > 0.1  # so that 1e-5 says something
    torch.testing.assert_close(pred, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('kind', ['finetune', 'linear'])
def test_class_scores_are_those_of_mamp(convert, kind):
    model, x = convert(kind), clips(2)
    x[1, 1] = 0  # an absent person, whom MAMP encodes
    with torch.no_grad():
        scores = model.cls_head(model.extract_feat(x.unsqueeze(1))[0])
    expected = classify(x, mamp_weights(kind), kind)
    assert expected.std() > 0.1
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('kind', KINDS)
def test_there_and_back_is_bit_equal(mamp_file, tmp_path, kind):
    source = mamp_file(kind)
    ours, back = str(tmp_path / 'ours.pth'), str(tmp_path / 'back.pth')
    assert convert_checkpoint([source, ours]) == 0
    assert convert_checkpoint([ours, back, '--to', 'mamp']) == 0
    assert_same(read_checkpoint(back)['model'], mamp_weights(kind))


@pytest.mark.parametrize('config', ['mamp_ntu60', 'benchmarks/finetune/finetune_ntu60'])
def test_what_a_config_builds_goes_to_mamp_and_back(config):
    cfg = Config.fromfile(CONFIGS / f'{config}.py')
    cfg.model.backbone.depth = 1
    weights = MODELS.build(cfg.model).state_dict()
    theirs = to_mamp(weights)
    assert theirs.weights['joints_embed.proj.weight'].shape == (256, 3, 4, 1)
    assert_same(from_mamp(theirs.weights).weights, weights)


@pytest.mark.parametrize('kind', KINDS)
def test_planar_joints(kind):
    weights = mamp_weights(kind, channels=2)
    ours = from_mamp(weights)
    assert ours.settings['backbone']['in_channels'] == 2
    assert ours.settings['backbone']['clip_len'] == STEPS * P
    # A decoder tells the frames of a token, a head does not.
    back = to_mamp(ours.weights, *([] if kind == 'pretrain' else [2]))
    assert_same(back.weights, weights)
    if kind != 'pretrain':
        with pytest.raises(ValueError, match='takes 8 numbers a token, no multiple of'):
            to_mamp(ours.weights)


def test_a_pretrained_encoder_goes_into_a_benchmark(convert, tmp_path):
    pretrained = convert('pretrain')
    backbone = MODELS.build(
        dict(
            type='SkeletonTransformer',
            embed_dims=DIMS,
            depth=DEPTH,
            num_heads=HEADS,
            num_joints=V,
            clip_len=STEPS * P,
            mlp_ratio=HIDDEN / DIMS,
            init_cfg=dict(
                type='Pretrained',
                checkpoint=str(tmp_path / 'converted' / 'pretrain.pth'),
                prefix='backbone.',
            ),
        )
    )
    backbone.init_weights()
    assert_same(backbone.state_dict(), pretrained.backbone.state_dict())


@pytest.mark.parametrize(
    'model, target',
    [('model_mamp.x', 'MotionTarget'), ('model_mae.x', 'JointTarget')],
)
def test_the_target_is_that_of_the_training(convert, model, target):
    built = convert('pretrain', model=model)
    assert type(built.heads['time'].target).__name__ == target


def test_heads_are_eight_where_the_file_does_not_tell(mamp_file, tmp_path, capsys):
    source = mamp_file('linear', model_args={})
    assert convert_checkpoint([source, str(tmp_path / 'out.pth')]) == 0
    printed = capsys.readouterr().out
    assert 'model.backbone.num_heads=8' in printed
    assert 'do not tell' in printed


def broken(weights, change):
    name = next(n for n in weights if n.endswith('blocks.1.norm2.bias'))
    if change == 'missing':
        del weights[name]
    elif change == 'unknown':
        weights['blocks.9.x'] = torch.zeros(1)
        name = r'blocks\.9\.x'
    else:
        weights[name] = torch.zeros(DIMS + 1)
        name += r' \(17,\), expected \(16,\)'
    return f'{change}: {name}'


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('change', ['missing', 'unknown', 'of a wrong shape'])
def test_every_weight_is_accounted_for(kind, change):
    theirs = mamp_weights(kind)
    ours = from_mamp(theirs).weights
    for weights, convert in ((theirs, from_mamp), (ours, to_mamp)):
        with pytest.raises(ValueError, match=broken(weights, change)):
            convert(weights)


@pytest.mark.parametrize(
    'name, value, message',
    [
        ('pos_embed', None, 'There is no pos_embed among the weights'),
        ('pos_embed', torch.zeros(3, 4), r'pos_embed has shape \(3, 4\), expected 4'),
        (
            'joints_embed.proj.weight',
            torch.zeros(DIMS, C, P, 5),  # tokens of five joints, which we have not
            r'joints_embed.proj.weight \(16, 3, 4, 5\), expected \(16, 3, 4, 1\)',
        ),
        ('blocks.0.attn.qkv.bias', None, 'missing: blocks.0.attn.qkv.bias'),
    ],
)
def test_a_weight_that_sizes_are_read_from_is_named(name, value, message):
    weights = mamp_weights('pretrain')
    weights[name] = value
    weights = {k: v for k, v in weights.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        from_mamp(weights)


def test_fdmae_has_no_form_in_mamp():
    cfg = Config.fromfile(CONFIGS / 'fdmae_synthetic.py')
    with pytest.raises(ValueError, match=r"found the windows .*'8'"):
        to_mamp(MODELS.build(cfg.model).state_dict())


@pytest.mark.parametrize('convert', [from_mamp, to_mamp])
def test_other_weights_are_refused(convert):
    with pytest.raises(ValueError, match=r'No name starts with.*conv1\.weight'):
        convert({'conv1.weight': torch.zeros(1)})


class Attack:
    """Makes a file while it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_in_a_file_is_run(tmp_path, capsys):
    path, trace = str(tmp_path / 'bad.pth'), tmp_path / 'trace'
    torch.save(dict(model={}, args=Attack(str(trace))), path)
    assert convert_checkpoint([path, str(tmp_path / 'out.pth')]) == 1
    assert f'it refers to {os.mkdir.__module__}.mkdir' in capsys.readouterr().err
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # the attack works where it is let


def test_a_namespace_is_allowed_for_these_files_alone(mamp_file):
    path = mamp_file('linear')
    assert read_checkpoint(path)['args'].lr == 1e-3
    with pytest.raises(Exception, match=r'argparse\.Namespace'):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize(
    'content, message',
    [
        (b'not a checkpoint', 'was not read, it is damaged or no checkpoint'),
        ([1], 'holds a list, not a dict'),
        (dict(state_dict={}), "no weights under 'model', only ['state_dict']"),
        (dict(model=dict(norm=3)), "model['norm'] is a int, expected a tensor"),
    ],
)
def test_other_files_are_refused(tmp_path, capsys, content, message):
    path = tmp_path / 'other.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    assert convert_checkpoint([str(path), str(tmp_path / 'out.pth')]) == 1
    assert message in capsys.readouterr().err


def test_an_interrupted_write_leaves_what_was_there(mamp_file, tmp_path, monkeypatch):
    source, out = mamp_file('linear'), tmp_path / 'out.pth'
    out.write_bytes(b'old')

    def fail(checkpoint, path):
        Path(path).write_bytes(b'half')
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(KeyboardInterrupt):
        convert_checkpoint([source, str(out)])
    assert out.read_bytes() == b'old'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['linear.pth', 'out.pth']


def test_the_source_is_not_overwritten(mamp_file, capsys):
    path = mamp_file('linear')
    assert convert_checkpoint([path, path]) == 1
    assert 'is the source' in capsys.readouterr().err
    assert 'args' in read_checkpoint(path)


def ours(path, dtype=torch.float32):
    """A checkpoint as MMEngine writes it, with weights that are views of each other."""
    table = torch.arange(12, dtype=dtype).view(3, 4)
    weights = {'backbone.a': table, 'backbone.b': table.T, 'backbone.c': table[:1]}
    weights['steps'] = torch.tensor(3)
    meta = dict(
        experiment_name='fdmae_x_20260101_000000',
        epoch=15,
        iter=300,
        seed=2,
        seconds=12.5,
        cfg='model = ' + 'x' * 1000,
        dataset_meta=dict(classes=('sit', 'stand – up'), sigmas=np.ones(3)),
    )
    torch.save(dict(state_dict=weights, meta=meta, optimizer=dict(lr=0.1)), path)
    return weights


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_safetensors_and_back_is_bit_equal(tmp_path, capsys, dtype):
    source, file, back = (
        str(tmp_path / n) for n in ('a.pth', 'a.safetensors', 'b.pth')
    )
    weights = ours(source, dtype)
    assert convert_checkpoint([source, file]) == 0
    assert '4 tensors, 29 values' in capsys.readouterr().out
    assert os.stat(file).st_mode == os.stat(source).st_mode
    assert convert_checkpoint([file, back]) == 0
    for path in (file, back):
        checkpoint = read_checkpoint(path)
        assert checkpoint.keys() == {'meta', 'state_dict'}
        assert_same(checkpoint['state_dict'], weights)
        assert checkpoint['meta'] == dict(
            experiment_name='fdmae_x_20260101_000000',
            epoch=15,
            iter=300,
            seed=2,
            seconds=12.5,
            dataset_meta=dict(classes=['sit', 'stand – up']),
        )


def test_mamp_to_safetensors_and_back(mamp_file, tmp_path, capsys):
    file, back = str(tmp_path / 'ours.safetensors'), str(tmp_path / 'back.pth')
    assert convert_checkpoint([mamp_file('finetune'), file]) == 0
    assert 'model.backbone.encode_absent=True' in capsys.readouterr().out
    options = read_checkpoint(file)['meta']['cfg_options']
    assert options['model.backbone.num_heads'] == HEADS
    assert convert_checkpoint([file, back, '--to', 'mamp']) == 0
    assert_same(read_checkpoint(back)['model'], mamp_weights('finetune'))
    assert convert_checkpoint([file, f'{file}.safetensors', '--to', 'mamp']) == 1
    assert 'reads no safetensors files' in capsys.readouterr().err


@pytest.fixture
def tiny_weights(tiny_config, tmp_path):
    """A linear benchmark, and the same weights as .pth and as .safetensors."""
    config = tiny_config(
        'benchmarks/linear/linear_synthetic.py',
        extra="model['backbone']['frozen_stages'] = 1\n",
    )
    init_default_scope('mmaction')
    model = MODELS.build(Config.fromfile(config).model)
    paths = [str(tmp_path / name) for name in ('tiny.pth', 'tiny.safetensors')]
    meta = dict(dataset_meta=dict(classes=['a', 'b']))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), paths[0])
    assert convert_checkpoint(paths) == 0
    return config, paths


def test_safetensors_wherever_a_checkpoint_is_loaded(tiny_weights):
    config, paths = tiny_weights
    expected = torch.load(paths[0])['state_dict']
    loaded = load_model(config, paths[1], 'cpu')
    assert loaded.classes == ('a', 'b')
    assert_same(loaded.model.state_dict(), expected)
    cfg = Config.fromfile(config)
    cfg.model.backbone.init_cfg.update(checkpoint=paths[1])
    backbone = MODELS.build(cfg.model.backbone)
    backbone.init_weights()
    prefix = 'backbone.'
    wanted = {n.removeprefix(prefix): v for n, v in expected.items() if prefix in n}
    assert_same(dict(backbone.state_dict()), wanted)
    results = [run_test([config, path]) for path in paths]
    assert results[0] == results[1]


def test_other_paths_go_where_they_went():
    for path, loader in (
        ('a/b.safetensors', 'load_from_safetensors'),
        ('a.safetensors/b.pth', 'load_from_local'),
        ('https://a.b/c.safetensors', 'load_from_http'),
    ):
        assert CheckpointLoader._get_checkpoint_loader(path).__name__ == loader


def test_safetensors_of_another_origin(tmp_path, monkeypatch):
    path = str(tmp_path / 'a.safetensors')
    monkeypatch.setenv('HOME', str(tmp_path))
    for metadata in (None, {'meta': 'no json'}):
        safetensors.torch.save_file({'a': torch.ones(2)}, path, metadata)
        assert read_checkpoint(path)['meta'] == {}
        assert CheckpointLoader.load_checkpoint('~/a.safetensors')['meta'] == {}
    safetensors.torch.save_file({'a': torch.ones(2)}, path, {'fdmae_mm': 'no json'})
    with pytest.raises(ValueError, match=r'a\.safetensors was not read: it is damaged'):
        read_checkpoint(path)
    with pytest.raises(FileNotFoundError, match=r'no file .*b\.safetensors'):
        read_checkpoint(str(tmp_path / 'b.safetensors'))


def test_a_safetensors_file_is_written_whole(tmp_path, monkeypatch):
    path = tmp_path / 'a.safetensors'
    path.write_text('before')

    def write_half(self, content):
        with self.open('wb') as file:
            file.write(content[:9])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, 'write_bytes', write_half)
    with pytest.raises(KeyboardInterrupt):
        save_safetensors(dict(state_dict={'a': torch.ones(2)}), path)
    assert path.read_text() == 'before'


def test_a_pickle_by_another_name_is_not_run(tmp_path, capsys):
    path, trace = tmp_path / 'bad.safetensors', tmp_path / 'trace'
    torch.save(Attack(str(trace)), path)
    assert convert_checkpoint([str(path), str(tmp_path / 'out.pth')]) == 1
    assert 'no safetensors file' in capsys.readouterr().err
    assert not trace.exists()


def test_safetensors_is_asked_for_where_it_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    source = str(tmp_path / 'a.pth')
    ours(source)
    assert convert_checkpoint([source, str(tmp_path / 'a.safetensors')]) == 1
    assert 'pip install "fdmae_mm[export]"' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
