"""The commands on scores that ``--dump`` of a test or probe wrote: fuse, compare."""

import argparse
import os
from collections.abc import Sequence

import numpy as np
from mmaction.evaluation import top_k_accuracy

from ..evaluation import (
    Comparison,
    compare_scores,
    fuse_scores,
    mean_class_accuracy,
    read_scores,
)
from ..evaluation.records import fuse_records, read_record, write_record
from ..files import check_writable
from .options import command_parser


def fuse(argv: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
    """Fuse the scores of streams; see ``tools/analysis/fuse_scores.py --help``."""
    parser = command_parser(
        'Accuracy in % of the scores that test --dump wrote, and of their '
        'weighted sum.',
        '%(prog)s joint.pkl bone.pkl motion.pkl --coefficients 2 1 1',
        '%(prog)s joint.pkl bone.pkl --records JOINT/record.json '
        'BONE/record.json \\\n    --out record.json',
    )
    parser.add_argument('scores', nargs='+', help='.pkl files, one a stream')
    parser.add_argument(
        '--coefficients', nargs='+', type=float, help='weights; default: all 1'
    )
    parser.add_argument(
        '--apply-softmax',
        action='store_true',
        help='turn scores into probabilities; heads with average_clips=prob did so',
    )
    parser.add_argument(
        '--records',
        nargs='+',
        help='record.json of the training run of each stream, for --out',
    )
    parser.add_argument(
        '--out', help='write a record of the sum, which the tables can be made of'
    )
    args = parser.parse_args(argv)
    if (args.records is None) != (args.out is None):
        parser.error('--records and --out go together')
    if args.records and len(args.records) != len(args.scores):
        parser.error(
            f'{len(args.records)} records are given for {len(args.scores)} files'
        )
    if args.out:
        check_writable(args.out)
    coefficients = args.coefficients or [1.0] * len(args.scores)
    if len(coefficients) != len(args.scores):
        parser.error(
            f'{len(coefficients)} coefficients are given for {len(args.scores)} files'
        )
    _refuse_twice(parser, args.scores)
    streams = {path: read_scores(path) for path in args.scores}
    fused = fuse_scores(streams, coefficients, args.apply_softmax)
    labels = next(iter(streams.values())).labels
    rows = {
        path: _accuracies(stream.scores, labels) for path, stream in streams.items()
    }
    rows['fusion'] = _accuracies(fused, labels)
    width = max(map(len, rows))
    print(f'{"":<{width}}' + ''.join(f'{name:>8}' for name in rows['fusion']))
    for name, row in rows.items():
        print(f'{name:<{width}}' + ''.join(f'{value:>8.2f}' for value in row.values()))
    if args.out:
        records = [read_record(path) for path in args.records]
        for scores, path, record in zip(
            args.scores, args.records, records, strict=True
        ):
            recorded, top1 = record['metrics'].get('top1'), rows[scores]['top1']
            if recorded is None or abs(recorded - top1) > 0.001:  # three decimals
                raise ValueError(
                    f'{path} has top1 {recorded}, the scores of {scores} have '
                    f'{top1:.3f}: the record is of another run. Give --records in the '
                    'order of the scores.'
                )
        write_record(fuse_records(records, rows['fusion']), args.out)
    return rows


def compare(argv: Sequence[str] | None = None) -> Comparison:
    """Compare two methods; see ``tools/analysis/compare_scores.py --help``."""
    parser = command_parser(
        'Top-1 accuracy of two methods on the same clips, the 95 % '
        'bootstrap interval of\ntheir difference, and its p-value by a paired '
        'permutation test.\nBoth tell what other clips might change, not what other '
        'seeds would.',
        '%(prog)s fdmae.pkl --against mae.pkl',
        '%(prog)s fdmae_s0.pkl fdmae_s1.pkl --against mae_s0.pkl mae_s1.pkl',
    )
    parser.add_argument(
        'scores', nargs='+', help='.pkl files of a method: seeds, folds'
    )
    parser.add_argument(
        '--against', nargs='+', required=True, help='those of the other method'
    )
    args = parser.parse_args(argv)
    _refuse_twice(parser, args.scores + args.against)
    first, second = (
        {path: read_scores(path) for path in paths}
        for paths in (args.scores, args.against)
    )
    result = compare_scores(first, second)
    print(f'{result.clips} clips, {len(first)} runs against {len(second)}')
    for name, share in (('first', result.first), ('--against', result.second)):
        print(f'{name:<11}{100 * share:>6.2f}')
    print(
        f'difference {100 * (result.first - result.second):>6.2f}, 95 % interval '
        f'{100 * result.low:.2f} to {100 * result.high:.2f}, p = {result.p_value:.2g}'
    )
    return result


def _accuracies(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    top1, top5 = top_k_accuracy(scores, labels, (1, 5))
    mean1 = mean_class_accuracy(scores, labels)
    return {
        name: float(100 * share)
        for name, share in (('top1', top1), ('top5', top5), ('mean1', mean1))
    }


def _refuse_twice(parser: argparse.ArgumentParser, paths: list[str]) -> None:
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        parser.error('a file is given twice')
