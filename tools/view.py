#!/usr/bin/env python
"""Write a page that plays clips, what a model saw of them and how it completed them.

python tools/view.py fdmae_nw-ucla_small CHECKPOINT --out page.html
python tools/view.py fdmae_nw-ucla_small CHECKPOINT --out page.html \\
    --classifier finetune_nw-ucla_small FINETUNED
python tools/view.py fdmae_nw-ucla_small CHECKPOINT --clips a01_s01_e00_v03 --out a.gif
python tools/view.py --ann-file data/sbu.pkl --out data.html
"""

from collections.abc import Sequence

from fdmae_mm.apis.options import tool_parser
from fdmae_mm.files import check_writable
from fdmae_mm.visualization import view


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page, picture or animation."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'config',
        nargs='?',
        help='config of a pre-training model or of a classifier, a path or the name of '
        'one of the package; without it the page shows the data alone',
    )
    parser.add_argument('weights', nargs='?', help='its checkpoint')
    parser.add_argument(
        '--out',
        required=True,
        help='.html: a page; .gif, .png, .pdf, .svg: the first clip for a paper, '
        'reconstructed',
    )
    parser.add_argument(
        '--classifier',
        nargs=2,
        metavar=('CONFIG', 'WEIGHTS'),
        help='a classifier whose scores are shown beside the reconstruction',
    )
    parser.add_argument(
        '--ann-file', help='annotation file; default: that of the config'
    )
    parser.add_argument(
        '--split',
        nargs='+',
        help='splits to take clips from; default: the test split of the config, or all',
    )
    parser.add_argument('--clips', nargs='+', metavar='NAME', help='clips to show')
    parser.add_argument(
        '--num-clips',
        type=int,
        default=100,
        help='how many clips to show, spread over splits and classes; default: 100',
    )
    parser.add_argument(
        '--layout',
        help='layout of the joints, a name or a .json file; default: what pipeline or '
        'data name',
    )
    parser.add_argument(
        '--head',
        default='time',
        help='head whose prediction is the reconstruction; default: time',
    )
    args = parser.parse_args(argv)
    if args.config and not args.weights:
        parser.error('CONFIG needs WEIGHTS')
    if not args.config and not args.ann_file and not args.classifier:
        parser.error('give CONFIG and WEIGHTS, or --ann-file')
    check_writable(args.out)
    view(
        args.out,
        args.config,
        args.weights,
        classifier=args.classifier,
        ann_file=args.ann_file,
        splits=args.split,
        names=args.clips,
        num_clips=args.num_clips,
        layout=args.layout,
        head=args.head,
    )
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()
