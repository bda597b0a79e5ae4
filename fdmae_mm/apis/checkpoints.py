"""Weights of MAMP's code in the classes of this package, and back; safetensors files.

The code is https://github.com/maoyunyao/MAMP (Mao et al., ICCV 2023). Its baseline
with joints as the target, ``model_mae``, has the same names and shapes.
"""

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import one_line
from ..files import written_whole
from ..weights import save_safetensors
from .loading import read_weights
from .options import command_parser

# Part of our model -> constructor arguments.
Settings = dict[str, dict[str, int | float | bool]]
# MAMP's name of a tensor, ours, and its shape in MAMP.
Weight = tuple[str, str, tuple[int, ...]]

_MAMP, _OURS = 0, 1
_PATCH_EMBED = ('joints_embed.proj.weight', 'backbone.patch_embed.weight')
# How names begin that one kind alone has.
_KINDS = {
    'pretrain': ('decoder_', 'decoder.'),
    'finetune': ('head.fc1.', 'cls_head.mlp.'),
    'linear': ('head.fc.', 'cls_head.norm.'),
}
_WHOSE = (
    "MAMP's code",
    'SkeletonMAE with a SelfAttentionDecoder and a WindowHead named time, or of '
    'RecognizerGCN with a FinetuneHead or a LinearProbeHead',
)


class Conversion(NamedTuple):
    """Converted weights, and the model that they fit.

    Attributes:
        weights (dict[str, Tensor]): The state dict.
        kind (str): ``'pretrain'`` (encoder, decoder, prediction), ``'finetune'`` or
            ``'linear'`` (encoder and head).
        settings (dict[str, dict]): What is known of our model: part -> arguments.
    """

    weights: dict[str, Tensor]
    kind: str
    settings: Settings

    @property
    def cfg_options(self) -> dict[str, int | float | bool]:
        """The settings by dotted config key."""
        return {
            f'model.{part}.{name}': value
            for part, arguments in self.settings.items()
            for name, value in arguments.items()
        }


def from_mamp(weights: Mapping[str, Tensor], num_heads: int = 8) -> Conversion:
    """Convert a state dict of MAMP's code to ours.

    The outputs are those of MAMP's code with the ``settings`` that are returned; they
    encode absent persons, as MAMP does.

    Args:
        weights (Mapping[str, Tensor]): State dict of ``model_mamp``, ``model_mae``
            (pre-training) or ``model`` (fine-tuning, linear probe).
        num_heads (int): Attention heads, which no shape tells; 8 in all its configs.

    Returns:
        Conversion: Weights of SkeletonMAE with a SelfAttentionDecoder and a WindowHead
        named 'time', or of RecognizerGCN with a FinetuneHead or a LinearProbeHead.

    Raises:
        ValueError: If a weight is missing, unknown or of a wrong shape.
    """
    kind, settings = _infer(weights, _MAMP)
    table = list(_table(kind, settings))
    _check(weights, {theirs: shape for theirs, _, shape in table}, _MAMP)
    converted = {ours: weights[theirs] for theirs, ours, _ in table}
    theirs, ours = _PATCH_EMBED
    # A convolution over (p, 1) has time last, a token has the coordinate last.
    converted[ours] = weights[theirs].squeeze(-1).transpose(1, 2).flatten(1)
    backbone = settings['backbone']
    backbone.update(num_heads=num_heads, encode_absent=True)
    if kind == 'pretrain':
        settings['decoder']['num_heads'] = num_heads
    elif kind == 'linear':
        backbone['frozen_stages'] = backbone['depth']
    return Conversion(converted, kind, settings)


def to_mamp(weights: Mapping[str, Tensor], in_channels: int = 3) -> Conversion:
    """Convert a state dict of ours to MAMP's names; inverse of :func:`from_mamp`.

    MAMP's code encodes absent persons: its outputs are ours with ``encode_absent=True``
    and as many heads.

    Args:
        weights (Mapping[str, Tensor]): State dict of one of the models that
            :func:`from_mamp` gives weights for.
        in_channels (int): C. Weights with a classification head do not tell how their
            p * C inputs a token are to be divided; others are not asked.

    Returns:
        Conversion: Weights by MAMP's names.

    Raises:
        ValueError: If a weight is missing, unknown or of a wrong shape, as those of
            FDMAE or of a CrossAttentionDecoder are.
    """
    kind, settings = _infer(weights, _OURS, in_channels)
    table = list(_table(kind, settings))
    shapes = {ours: shape for _, ours, shape in table}
    theirs, ours = _PATCH_EMBED
    dims, c, p, _ = shapes[ours]
    shapes[ours] = (dims, p * c)
    _check(weights, shapes, _OURS)
    converted = {theirs: weights[ours] for theirs, ours, _ in table}
    embed = weights[ours].unflatten(1, (p, c))  # (D, p, C)
    converted[theirs] = embed.transpose(1, 2).unsqueeze(-1).contiguous()
    return Conversion(converted, kind, settings)


def read_checkpoint(path: str | os.PathLike) -> dict:
    """Read a checkpoint of MAMP's code or of MMEngine, or a safetensors file.

    Nothing in it is run. Errors are those of :func:`read_weights`.
    """
    # MAMP saves its command line beside the weights.
    with torch.serialization.safe_globals([argparse.Namespace]):
        return read_weights(path)


def write_checkpoint(checkpoint: dict, path: str | os.PathLike) -> None:
    """Write a checkpoint; an interruption leaves no half-written file.

    Of a ``.safetensors`` file, :func:`fdmae_mm.weights.save_safetensors` says what it
    keeps.
    """
    if _is_safetensors(path):
        save_safetensors(checkpoint, path)
        return
    with written_whole(path) as part:
        torch.save(checkpoint, part)


def _is_safetensors(path: str | os.PathLike) -> bool:
    return Path(path).suffix == '.safetensors'


@one_line(ImportError, OSError, RuntimeError, ValueError)
def convert_checkpoint(argv: Sequence[str] | None = None) -> int:
    """Convert a file and print the settings; see ``tools/convert_checkpoint.py -h``.

    Returns:
        int: Exit status: 0, or 1 where nothing was written.
    """
    parser = command_parser(
        "Convert MAMP's checkpoints for this package, or back, and "
        'checkpoints to safetensors files, or back.',
        '%(prog)s mamp.pth ours.pth',
        '%(prog)s ours.pth mamp.pth --to mamp',
        '%(prog)s ours.pth ours.safetensors',
    )
    parser.add_argument('source', metavar='SOURCE', help='checkpoint to read')
    parser.add_argument('out', metavar='OUT', help='checkpoint to write')
    parser.add_argument(
        '--to',
        choices=['mmengine', 'mamp'],
        default='mmengine',
        help='whose checkpoint to write; by default one that MMEngine loads',
    )
    parser.add_argument(
        '--in-channels',
        type=int,
        default=3,
        help='coordinates of a joint, which our weights with a classification head do '
        'not tell (--to mamp; default: 3)',
    )
    args = parser.parse_args(argv)
    if Path(args.out).resolve() == Path(args.source).resolve():
        raise ValueError(f'{args.out} is the source: give another file to write.')
    if args.to == 'mamp':
        lines = _write_mamp(args.source, args.out, args.in_channels)
    else:
        lines = _write_mmengine(args.source, args.out)
    print('\n'.join([*lines, f'written:  {args.out}']))
    return 0


def _write_mmengine(source: str, out: str) -> list[str]:
    checkpoint = read_checkpoint(source)
    if _is_safetensors(source) != _is_safetensors(out) and 'state_dict' in checkpoint:
        weights = _weights_of(checkpoint, 'state_dict', source)
        meta = checkpoint.get('meta', {})
        write_checkpoint(dict(meta=meta, state_dict=weights), out)
        return [_count(weights)]
    weights = _weights_of(checkpoint, 'model', source)
    # What no weight tells stands in the command line of the training.
    recipe = checkpoint.get('args')
    model_args = getattr(recipe, 'model_args', None)
    heads = model_args.get('num_heads') if isinstance(model_args, dict) else None
    converted = from_mamp(weights, heads or 8)
    meta = dict(converted_from=Path(source).name, cfg_options=converted.cfg_options)
    write_checkpoint(dict(meta=meta, state_dict=converted.weights), out)
    baseline = str(getattr(recipe, 'model', '')).startswith('model_mae.')
    config = {
        'pretrain': 'mae_ntu60.py' if baseline else 'mamp_ntu60.py',
        'finetune': 'benchmarks/finetune/finetune_ntu60.py',
        'linear': 'benchmarks/linear/linear_ntu60.py',
    }[converted.kind]
    told = 'from its args' if heads else "its args do not tell: 8, as in MAMP's configs"
    options = ' '.join(f'{k}={v}' for k, v in converted.cfg_options.items())
    return [
        *_describe(converted),
        f'heads:    {heads or 8} ({told})',
        f'config:   configs/{config}, or that of your data, with',
        f'          --cfg-options {options}',
    ]


def _write_mamp(source: str, out: str, in_channels: int) -> list[str]:
    if _is_safetensors(out):
        raise ValueError(f"{out}: MAMP's code reads no safetensors files, but .pth.")
    weights = _weights_of(read_checkpoint(source), 'state_dict', source)
    converted = to_mamp(weights, in_channels)
    write_checkpoint(dict(model=converted.weights), out)
    return _describe(converted)


def _weights_of(checkpoint: dict, key: str, source: str) -> dict[str, Tensor]:
    weights = checkpoint.get(key)
    if not isinstance(weights, dict):
        raise ValueError(
            f'{source} has no weights under {key!r}, only '
            f'{sorted(map(str, checkpoint))}. '
            f"MAMP's checkpoints have 'model', those of MMEngine 'state_dict', which "
            f'--to mamp converts, and an OUT that ends in .safetensors takes.'
        )
    for name, value in weights.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise ValueError(
                f'{source}: {key}[{name!r}] is a {type(value).__name__}, expected a '
                f'tensor by name.'
            )
    return weights


def _describe(converted: Conversion) -> list[str]:
    return [f'kind:     {converted.kind}', _count(converted.weights)]


def _count(weights: Mapping[str, Tensor]) -> str:
    values = sum(value.numel() for value in weights.values())
    return f'weights:  {len(weights)} tensors, {values} values'


def _infer(
    weights: Mapping[str, Tensor], side: int, in_channels: int = 0
) -> tuple[str, Settings]:
    """Kind and settings of the model that has these weights, by the names of a side."""

    def shape(*names: str, axes: int = 2) -> torch.Size:
        name = names[side]
        if name not in weights:
            raise ValueError(f'There is no {name} among the weights.')
        if weights[name].dim() != axes:
            raise ValueError(
                f'{name} has shape {tuple(weights[name].shape)}, expected {axes} axes.'
            )
        return weights[name].shape

    def stack(embed: Sequence[str], blocks: Sequence[str], axes: int = 2) -> dict:
        dims = shape(*embed, axes=axes)[0]
        first = (f'{blocks[_MAMP]}.0.mlp.fc1.weight', f'{blocks[_OURS]}.0.mlp.0.weight')
        prefix = f'{blocks[side]}.'
        rest = (n.removeprefix(prefix) for n in weights if n.startswith(prefix))
        return dict(
            embed_dims=dims,
            depth=len({name.split('.')[0] for name in rest}),
            mlp_ratio=shape(*first)[0] / dims,
        )

    starts = {kind: start[side] for kind, start in _KINDS.items()}
    kinds = (k for k in starts if any(name.startswith(starts[k]) for name in weights))
    kind = next(kinds, None)
    if kind is None:
        raise ValueError(
            f'No name starts with {" or ".join(starts.values())}, so these are no '
            f'weights of {_WHOSE[side]}. The first names: '
            f'{", ".join(list(weights)[:3]) or "none"}.'
        )
    backbone = stack(
        _PATCH_EMBED, ('blocks', 'backbone.blocks'), axes=4 if side == _MAMP else 2
    )
    if side == _MAMP:
        in_channels, patch = weights[_PATCH_EMBED[_MAMP]].shape[1:3]
    else:
        inputs = weights[_PATCH_EMBED[_OURS]].shape[1]
        if kind == 'pretrain':
            patch = _window(weights)
            in_channels = inputs // patch
        elif in_channels < 1 or inputs % in_channels:
            raise ValueError(
                f'{_PATCH_EMBED[_OURS]} takes {inputs} numbers a token, no multiple of '
                f'in_channels={in_channels}: give the number of coordinates of a joint.'
            )
        else:
            patch = inputs // in_channels
    backbone.update(
        in_channels=in_channels,
        num_joints=shape('pos_embed', 'backbone.joint_table', axes=4)[2],
        clip_len=shape('temp_embed', 'backbone.temporal_table', axes=4)[1] * patch,
        t_patch_size=patch,
    )
    if kind == 'pretrain':
        embed = ('decoder_embed.weight', 'decoder.embed.weight')
        decoder = stack(embed, ('decoder_blocks', 'decoder.blocks'))
        heads = {'heads.time': dict(window=patch)}
        return kind, dict(backbone=backbone, decoder=decoder, **heads)
    last = 'head.fc2.weight' if kind == 'finetune' else 'head.fc.1.weight'
    head = dict(
        num_classes=shape(last, 'cls_head.fc.weight')[0],
        in_channels=backbone['embed_dims'],
    )
    if kind == 'finetune':
        hidden = shape('head.fc1.weight', 'cls_head.mlp.0.weight')[0]
        head.update(num_joints=backbone['num_joints'], hidden_dims=hidden)
    return kind, dict(backbone=backbone, cls_head=head)


def _window(weights: Mapping[str, Tensor]) -> int:
    """The only window of our decoder, that of a token."""
    prefix = 'decoder.temporal_tables.'
    windows = [n.removeprefix(prefix) for n in weights if n.startswith(prefix)]
    if len(windows) != 1 or not re.fullmatch(r'[1-9]\d*', windows[0]):
        raise ValueError(
            f"{prefix}* must be a single one, as MAMP's decoder has the window of a "
            f'token alone, found the windows {windows}.'
        )
    return int(windows[0])


def _table(kind: str, settings: Settings) -> Iterator[Weight]:
    """Every weight of a model."""
    encoder = settings['backbone']
    dims, p = encoder['embed_dims'], encoder['t_patch_size']
    c, steps = encoder['in_channels'], encoder['clip_len'] // p
    joints = encoder['num_joints']
    yield (*_PATCH_EMBED, (dims, c, p, 1))
    yield 'joints_embed.proj.bias', 'backbone.patch_embed.bias', (dims,)
    yield 'temp_embed', 'backbone.temporal_table', (1, steps, 1, dims)
    yield 'pos_embed', 'backbone.joint_table', (1, 1, joints, dims)
    yield from _blocks('blocks', 'backbone.blocks', encoder)
    yield from _affine('norm', 'backbone.norm', dims)
    if kind == 'pretrain':
        decoder = settings['decoder']
        width = decoder['embed_dims']
        yield from _affine('decoder_embed', 'decoder.embed', width, dims)
        yield 'mask_token', 'decoder.mask_token', (1, 1, width)
        table = f'decoder.temporal_tables.{p}'
        yield 'decoder_temp_embed', table, (1, steps, 1, width)
        yield 'decoder_pos_embed', 'decoder.joint_table', (1, 1, joints, width)
        yield from _blocks('decoder_blocks', 'decoder.blocks', decoder)
        yield from _affine('decoder_norm', 'decoder.norm', width)
        yield from _affine('decoder_pred', 'heads.time.project', p * c, width)
    elif kind == 'finetune':
        head = settings['cls_head']
        hidden, classes = head['hidden_dims'], head['num_classes']
        yield from _affine('head.fc1', 'cls_head.mlp.0', hidden, joints * dims)
        yield from _affine('head.bn', 'cls_head.mlp.1', hidden)
        yield from _statistics('head.bn', 'cls_head.mlp.1', hidden)
        yield from _affine('head.fc2', 'cls_head.fc', classes, hidden)
    else:
        yield from _statistics('head.fc.0', 'cls_head.norm', dims)
        classes = settings['cls_head']['num_classes']
        yield from _affine('head.fc.1', 'cls_head.fc', classes, dims)


def _blocks(
    theirs: str, ours: str, size: Mapping[str, int | float]
) -> Iterator[Weight]:
    dims = size['embed_dims']
    hidden = round(dims * size['mlp_ratio'])
    for i in range(size['depth']):
        for name, our_name, shape in (
            ('norm1', 'norm1', (dims,)),
            ('attn.qkv', 'attn.qkv', (3 * dims, dims)),
            ('attn.proj', 'attn.proj', (dims, dims)),
            ('norm2', 'norm2', (dims,)),
            ('mlp.fc1', 'mlp.0', (hidden, dims)),
            ('mlp.fc2', 'mlp.2', (dims, hidden)),
        ):
            yield from _affine(f'{theirs}.{i}.{name}', f'{ours}.{i}.{our_name}', *shape)


def _affine(theirs: str, ours: str, *shape: int) -> Iterator[Weight]:
    """Weight and bias of a linear layer or of a norm."""
    yield f'{theirs}.weight', f'{ours}.weight', shape
    yield f'{theirs}.bias', f'{ours}.bias', shape[:1]


def _statistics(theirs: str, ours: str, dims: int) -> Iterator[Weight]:
    """Buffers of a batch norm."""
    for name, shape in (
        ('running_mean', (dims,)),
        ('running_var', (dims,)),
        ('num_batches_tracked', ()),
    ):
        yield f'{theirs}.{name}', f'{ours}.{name}', shape


def _check(
    weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]], side: int
) -> None:
    """Account for every weight."""
    wrong = [
        f'{name} {tuple(weights[name].shape)}, expected {shape}'
        for name, shape in shapes.items()
        if name in weights and tuple(weights[name].shape) != shape
    ]
    problems = [
        f'{problem}: {"; ".join(names[:5])}{"; ..." if len(names) > 5 else ""}'
        for problem, names in (
            ('missing', [name for name in shapes if name not in weights]),
            ('unknown', [name for name in weights if name not in shapes]),
            ('of a wrong shape', wrong),
        )
        if names
    ]
    if problems:
        raise ValueError(
            f'These are no weights of {_WHOSE[side]}. {". ".join(problems)}.'
        )
