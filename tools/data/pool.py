"""Puts training splits of several sets into one annotation file, in one layout.

python tools/data/pool.py data/pooled.pkl --layout kinect_v1 \\
    data/nw_ucla.pkl:xview_train data/utd_mhad.pkl:xsub_train
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fdmae_mm.apis.options import tool_parser
from fdmae_mm.datasets.annotation import add_out, save_annotation
from fdmae_mm.datasets.converters import summarize
from fdmae_mm.datasets.converters.folder import add_layout
from fdmae_mm.datasets.layouts import read_layout
from fdmae_mm.datasets.pooling import pool
from fdmae_mm.errors import one_line
from fdmae_mm.files import check_writable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = tool_parser(__doc__)
    add_out(parser)
    parser.add_argument(
        'sources', nargs='+', metavar='FILE:SPLIT', help='what is put into it'
    )
    add_layout(parser, required=True)
    args = parser.parse_args(argv)
    for source in args.sources:
        if not all(source.rpartition(':')):
            parser.error(f'{source} must be FILE:SPLIT')
    return args


@one_line(OSError, ValueError)
def main(argv: Sequence[str] | None = None) -> int:
    """Pools, writes, and prints what was written.

    Args:
        argv: Arguments without the program's name. Defaults to the command line.

    Returns:
        Exit status: 0, or 1 where nothing was written.
    """
    args = parse_args(argv)
    sources = [source.rpartition(':')[::2] for source in args.sources]
    if Path(args.out).resolve() in {Path(path).resolve() for path, _ in sources}:
        raise ValueError(
            f'{args.out} is one of the sources: give another file to write.'
        )
    check_writable(args.out)
    annotation = pool(sources, read_layout(args.layout))
    save_annotation(annotation, args.out)
    print(summarize(annotation, []))
    print(f'written:   {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
