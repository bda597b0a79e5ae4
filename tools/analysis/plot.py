#!/usr/bin/env python
"""Plots of features, errors, attention, masks and training, for a paper.

python tools/analysis/plot.py features CONFIG CHECKPOINT -o features.pdf
python tools/analysis/plot.py confusion SCORES.pkl --ann-file data/nw_ucla.pkl -o c.pdf
python tools/analysis/plot.py bands work_dirs/fdmae_s0 work_dirs/fdmae_s1 -o bands.pdf
python tools/analysis/plot.py joints CONFIG CHECKPOINT --band-edges 0 1/8 1/2 -o j.pdf
python tools/analysis/plot.py attention CONFIG CHECKPOINT --joint right_hand -o a.pdf
python tools/analysis/plot.py masking CONFIG -o masking.pdf
python tools/analysis/plot.py curves work_dirs/*_s? --keys loss grad_norm -o curves.pdf

The suffix of the output tells the format: .pdf, .svg or .png. What is shown is printed
in figures too.
"""

import argparse
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

from fdmae_mm.apis.loading import LoadedModel, find_config, load_model, override
from fdmae_mm.apis.options import ConfigOptions, tool_parser
from fdmae_mm.datasets.annotation import load_annotation
from fdmae_mm.datasets.layouts import SkeletonLayout, layouts_of, read_layout
from fdmae_mm.evaluation import extract_features
from fdmae_mm.files import check_writable
from fdmae_mm.visualization import (
    attention_map,
    data_pose,
    embed_features,
    eval_batches,
    joint_errors,
    masked_share,
    plot_attention,
    plot_bands,
    plot_confusion,
    plot_curves,
    plot_features,
    plot_joint_errors,
    plot_masking,
    read_confusion,
    save_figure,
    time_heads,
    train_clips,
)
from fdmae_mm.visualization.curves import Curves
from fdmae_mm.visualization.style import FORMATS


def main(argv: Sequence[str] | None = None) -> None:
    """Makes a plot and prints its figures."""
    args = parse_args(argv)
    check_writable(args.out)
    figure = args.plot(args)
    save_figure(figure, args.out)
    print(args.out)


def features(args: argparse.Namespace) -> Figure:
    """Map of clips by features, coloured by class."""
    loaded = _load(args)
    loader = eval_batches(loaded.cfg, num_clips=args.clips)
    found, labels = extract_features(loaded.model, loader)
    points = embed_features(found.cpu().numpy(), args.method, args.seed)
    classes = loaded.classes or loader.dataset.metainfo.get('classes')
    figure, _ = plot_features(points, labels.cpu().numpy(), classes, **_width(args))
    print(f'{len(points)} clips of {len(np.unique(labels.cpu()))} classes')
    return figure


def confusion(args: argparse.Namespace) -> Figure:
    """Confusion matrix, with the worst confusions."""
    classes = None
    if args.ann_file:
        classes = load_annotation(args.ann_file).get('metainfo', {}).get('classes')
    matrix, names = read_confusion(args.scores, classes)
    figure, shares = plot_confusion(matrix, names, **_width(args))
    wrong = np.nan_to_num(shares)
    np.fill_diagonal(wrong, 0)
    print(f'{100 * np.trace(matrix) / matrix.sum():.1f} % of the clips are recognized')
    for index in np.argsort(wrong, axis=None)[::-1][:5]:
        true, predicted = np.unravel_index(index, wrong.shape)
        if share := wrong[true, predicted]:
            print(
                f'{share:5.1f} % of {names[true]!r} are taken for {names[predicted]!r}'
            )
    return figure


def bands(args: argparse.Namespace) -> Figure:
    """Error of each frequency band over training."""
    figure, curves = plot_bands(args.runs, args.smooth, **_width(args))
    _print_curves(curves)
    return figure


def curves(args: argparse.Namespace) -> Figure:
    """Scalars of runs over training."""
    figure, found = plot_curves(args.runs, args.keys, args.smooth, **_width(args))
    _print_curves(found)
    return figure


def joints(args: argparse.Namespace) -> Figure:
    """Reconstruction error of joints, on the body."""
    loaded = _load(args)
    layout = _layout(loaded.layout, args)
    errors = {}
    heads = time_heads(loaded.model)
    for name in args.heads or heads:
        set_random_seed(args.seed)  # every head is asked for the same masked places
        loader = eval_batches(loaded.cfg, masked=True, num_clips=args.clips)
        errors[name] = joint_errors(
            loaded.model,
            loader,
            name,
            args.signal,
            args.band_edges,
            loader.dataset.get_data_info(0)['keypoint'].shape[-1],
        )
    for name, error in errors.items():
        unit = args.unit if error.signal == 'joint' else f'{args.unit} a frame'
        print(f'{name}: {error.signal}, mean {np.nanmean(error.distance):.4f} {unit}')
        _print_joints(error.distance, layout)
        power = error.power.sum(1)
        for band, (wrong, silent) in enumerate(
            zip(error.error.sum(1) / power, error.silent.sum(1) / power, strict=True)
        ):
            print(
                f'  band {band}: error {wrong:.3f} of the power of the motion, '
                f'{silent:.3f} if the head predicts zeros'
            )
    pose = data_pose(loader.dataset, layout)
    return plot_joint_errors(
        errors, pose, layout, args.band_edges, args.unit, **_width(args)
    )


def attention(args: argparse.Namespace) -> Figure:
    """Attention from a query to joints and time."""
    loaded = _load(args)
    layout = _layout(loaded.layout, args)
    if args.joint not in layout.joints:
        raise ValueError(f'--joint {args.joint}: the joints are {layout.joints}.')
    set_random_seed(args.seed)
    masked = hasattr(loaded.model, 'decoder')
    loader = eval_batches(loaded.cfg, masked=masked, num_clips=args.clips)
    clip_len = loaded.model.backbone.clip_len
    frame = clip_len // 2 if args.frame is None else args.frame
    found = attention_map(
        loaded.model, loader, layout.joints.index(args.joint), frame, args.window
    )
    _print_joints(found.by_joint, layout)
    pose = data_pose(loader.dataset, layout)
    return plot_attention(found, pose, layout, clip_len, **_width(args))


def masking(args: argparse.Namespace) -> Figure:
    """What a masking strategy hides over a data set."""
    cfg = Config.fromfile(find_config(args.config))
    override(cfg, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    set_random_seed(args.seed)
    clips = train_clips(cfg, args.clips)
    layout = _layout(layouts_of(clips.pipeline)[1], args)
    share = masked_share(clips, args.key)
    print(f'{len(clips)} clips, {100 * share.mean():.1f} % masked')
    _print_joints(share.mean(0), layout)
    pose = data_pose(clips, layout)
    clip_len = clips[0]['inputs'].shape[2]
    return plot_masking(share, pose, layout, clip_len, **_width(args))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = tool_parser(__doc__)
    plots = parser.add_subparsers(title='plots', required=True, metavar='PLOT')

    sub = _add(plots, features)
    _add_model(sub)
    sub.add_argument('--method', choices=['tsne', 'umap'], default='tsne')

    sub = _add(plots, confusion)
    sub.add_argument(
        'scores', help='confusion_matrix.csv of AccReport, or .pkl of test.py --dump'
    )
    sub.add_argument('--ann-file', help='annotation file with class names, for a .pkl')

    sub = _add(plots, bands)
    _add_runs(sub)

    sub = _add(plots, joints)
    _add_model(sub)
    _add_body(sub)
    sub.add_argument('--heads', nargs='+', help='time-domain heads; default: all')
    sub.add_argument(
        '--signal',
        choices=['joint', 'motion'],
        help='whose error; default: what the head predicts',
    )
    sub.add_argument(
        '--band-edges',
        nargs='+',
        type=lambda edge: float(Fraction(edge)),
        default=(),
        help='also errors by band: edges in cycles a frame, as 0 1/16 1/8 1/2',
    )
    sub.add_argument('--unit', default='m', help='of the coordinates (default: m)')

    sub = _add(plots, attention)
    _add_model(sub)
    _add_body(sub)
    sub.add_argument('--joint', required=True, help='joint of the query, by name')
    sub.add_argument('--frame', type=int, help='its frame; default: the middle one')
    sub.add_argument(
        '--window',
        type=int,
        help="frames of a cross-attention decoder's query; default: the fewest",
    )

    sub = _add(plots, masking)
    _add_config(sub)
    _add_body(sub)
    sub.add_argument('--key', default='mask', help='which mask, or teacher_mask')

    sub = _add(plots, curves)
    _add_runs(sub)
    sub.add_argument('--keys', nargs='+', default=['loss'], help='default: loss')
    return parser.parse_args(argv)


def _add(
    plots: argparse._SubParsersAction, plot: Callable[[argparse.Namespace], Figure]
) -> argparse.ArgumentParser:
    description = plot.__doc__
    parser = plots.add_parser(plot.__name__, help=description, description=description)
    parser.add_argument(
        '-o', '--out', required=True, type=_output, help='.pdf, .svg or .png file'
    )
    parser.add_argument(
        '--width', type=float, help='inches; a column of a paper has 3.5, a page 7'
    )
    parser.set_defaults(plot=plot)
    return parser


def _output(path: str) -> str:
    # Now, and not after the figures have been computed.
    if not path.endswith(FORMATS):
        raise argparse.ArgumentTypeError(f'{path} must end in {" or ".join(FORMATS)}')
    return path


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help='config file, or its bare name')
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='override settings'
    )
    parser.add_argument(
        '--clips', type=int, help='take so many clips, evenly spaced; default: all'
    )
    parser.add_argument('--seed', type=int, default=0, help='of masks and maps')


def _add_model(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument('checkpoint', help='checkpoint file')


def _add_body(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--layout',
        help='layout, where no transform of the config tells: a name or a .json file',
    )


def _add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'runs',
        nargs='+',
        help='work directories; names that differ by the seed alone are one curve',
    )
    parser.add_argument(
        '--smooth',
        type=float,
        default=1,
        help='width of the smoothing, in intervals of the log; 0: none (default 1)',
    )


def _load(args: argparse.Namespace) -> LoadedModel:
    return load_model(args.config, args.checkpoint, cfg_options=args.cfg_options)


def _layout(found: SkeletonLayout | None, args: argparse.Namespace) -> SkeletonLayout:
    if args.layout:
        return read_layout(args.layout)
    if found is None:
        raise ValueError(
            f'No transform of {args.config} names a layout: give --layout.'
        )
    return found


def _width(args: argparse.Namespace) -> dict[str, float]:
    return {'width': args.width} if args.width else {}


def _print_curves(curves: Curves) -> None:
    for key, runs in curves.items():
        for name, curve in runs.items():
            last = curve.raw[:, -1]  # what was logged, and not smoothed
            seeds = len(last)
            spread = f' ± {last.std(ddof=1):.2g}' if seeds > 1 else ''
            print(
                f'{key}, {name}: {last.mean():.4g}{spread} at {curve.unit} '
                f'{curve.steps[-1]} ({seeds} seed{"s" if seeds > 1 else ""})'
            )


def _print_joints(values: np.ndarray, layout: SkeletonLayout) -> None:
    """Joints by value, the highest first."""
    order = np.argsort(-values)  # NaN, which is not known, last
    print('  ' + ', '.join(f'{layout.joints[j]} {values[j]:.3f}' for j in order))


if __name__ == '__main__':
    main()
