"""Converts skeleton data to an annotation file for PoseDataset.

python tools/data/convert.py nw_ucla nw_ucla.tar.gz data/nw_ucla.pkl
python tools/data/convert.py folder my_clips data/mine.pkl --layout my_layout.json
python tools/data/convert.py synthetic data/synthetic.pkl
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fdmae_mm.apis.options import tool_parser
from fdmae_mm.datasets.annotation import add_out, save_annotation
from fdmae_mm.datasets.converters import CONVERTERS, convert, summarize
from fdmae_mm.datasets.synthetic import make_synthetic
from fdmae_mm.errors import one_line
from fdmae_mm.files import check_writable, printable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = tool_parser(__doc__)
    formats = parser.add_subparsers(dest='format', metavar='FORMAT', required=True)
    synthetic = formats.add_parser('synthetic', help='make the embedded synthetic set')
    synthetic.add_argument('--seed', type=int, default=0)
    synthetic.add_argument('--subjects', type=int, default=12)
    synthetic.add_argument('--repetitions', type=int, default=2)
    for name, converter in CONVERTERS.items():
        sub = formats.add_parser(name, help=converter.source)
        sub.add_argument(
            'source',
            metavar='SOURCE',
            help=f'archive or folder with {converter.files}, or one such file',
        )
        sub.add_argument(
            '--strict', action='store_true', help='stop at the first bad file'
        )
        sub.add_argument('--workers', type=int, default=1, help='parsing processes')
        sub.add_argument(
            '--non-finite',
            choices=['error', 'zero'],
            default='error',
            help='NaN and infinite numbers make a file bad, or a joint zero, which is '
            'one that was not measured',
        )
        converter.add_arguments(sub)
    for sub in formats.choices.values():
        add_out(sub)
    args = parser.parse_args(argv)
    if args.format != 'synthetic' and args.workers < 1:
        formats.choices[args.format].error(
            f'--workers {args.workers}: must be at least 1'
        )
    return args


@one_line(OSError, ValueError)
def main(argv: Sequence[str] | None = None) -> int:
    """Converts, writes, and prints what was written.

    Args:
        argv: Arguments without the program's name. Defaults to the command line.

    Returns:
        Exit status: 0, or 1 where nothing was written.
    """
    args = parse_args(argv)
    check_writable(args.out)
    if args.format == 'synthetic':
        annotation = make_synthetic(args.seed, args.subjects, args.repetitions)
        skipped = []
    else:
        shared = ('format', 'source', 'out', 'strict', 'workers', 'non_finite')
        # What is left was declared by the format.
        options = {k: v for k, v in vars(args).items() if k not in shared}
        annotation, skipped = convert(
            CONVERTERS[args.format](**options),
            args.source,
            args.strict,
            args.workers,
            args.non_finite,
        )
    save_annotation(annotation, args.out)
    print(summarize(annotation, skipped))
    print(f'written:   {printable(args.out)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
