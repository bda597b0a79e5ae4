#!/usr/bin/env python
"""Write a trained model as one ONNX file or torch.export program, and check it.

python tools/export.py finetune_nw-ucla_small FINETUNED.pth recognizer.onnx
python tools/export.py fdmae_nw-ucla_small PRETRAINED.pth encoder.onnx --features
python tools/export.py finetune_nw-ucla_small FINETUNED.pth recognizer.pt2

The file holds the names of the classes, the joints and the preprocessing as well:
tools/onnx_infer.py runs it with numpy and onnxruntime alone.
"""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from fdmae_mm.apis import export_metadata, export_model, load_model
from fdmae_mm.apis.options import ConfigOptions, tool_parser
from fdmae_mm.errors import one_line
from fdmae_mm.files import check_writable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = tool_parser(__doc__)
    parser.add_argument('config', help='config file, or name of one of this package')
    parser.add_argument('weights', help='checkpoint that it has left')
    parser.add_argument('out', help='file to write, .onnx or .pt2')
    parser.add_argument(
        '--features',
        action='store_true',
        help='export the encoder alone: joints to features',
    )
    parser.add_argument(
        '--batch',
        type=int,
        default=2,
        help='clips of the example that is traced and checked; the file takes any '
        'number (default: %(default)s)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='override settings, for example model.backbone.encode_absent=True',
    )
    return parser.parse_args(argv)


@one_line(ImportError, OSError, RuntimeError, ValueError)
def main(argv: Sequence[str] | None = None) -> int:
    """Exports, checks, and prints what was written.

    Args:
        argv: Arguments without the program's name. Defaults to the command line.

    Returns:
        Exit status: 0, or 1 where nothing was written.
    """
    args = parse_args(argv)
    # torch tells of a torchvision that is not there, and of its own deprecations.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    warnings.filterwarnings('ignore', '.*isinstance.treespec', FutureWarning)
    check_writable(args.out)
    loaded = load_model(args.config, args.weights, 'cpu', args.cfg_options)
    difference = export_model(loaded, args.out, args.features, args.batch)
    metadata = export_metadata(loaded, args.features)
    for side in ('input', 'output'):
        shape = ', '.join(map(str, metadata[side]['shape']))
        print(f'{side + ":":<9} {metadata[side]["name"]} ({shape})')
    print(f'checked:  within {difference:.1e} of the model')
    print(f'written:  {args.out}, {Path(args.out).stat().st_size / 1e6:.1f} MB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
