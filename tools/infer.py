"""Infers actions from skeletons: the best classes of clips, or segments of recordings.

examples:
  # all clips of a folder, a glob, a raw NTU file; scores and names into out/
  python tools/infer.py finetune_nw-ucla_small epoch_2.pth clips/ 'more/*.npy' --out-dir out
  # a split of an annotation file; the three best classes
  python tools/infer.py finetune_nw-ucla_small epoch_2.pth data/nw_ucla.pkl --split xview_val --top-k 3
  # joints of another layout: mapped by their meaning
  python tools/infer.py finetune_nw-ucla_small epoch_2.pth S001C001P001R001A001.skeleton
  python tools/infer.py finetune_nw-ucla_small epoch_2.pth mine.npy --layout h36m
  # a long recording: who does what when
  python tools/infer.py finetune_nw-ucla_small epoch_2.pth hour.npy --window 64 --stride 16 --fps 30
  # features of a pre-trained encoder, one row a clip in out/features.npy
  python tools/infer.py fdmae_nw-ucla_small epoch_15.pth clips/ --features --out-dir out
"""  # noqa: E501

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fdmae_mm.apis import SkeletonInferencer
from fdmae_mm.apis.inputs import ENDINGS, FORMATS
from fdmae_mm.apis.options import ConfigOptions
from fdmae_mm.errors import one_line
from fdmae_mm.files import printable

_SHOWN = 40


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    text = __doc__.replace('python tools/infer.py', '%(prog)s')
    summary, _, examples = text.partition('\n')
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config', metavar='CONFIG', help='config file, or name of a config'
    )
    parser.add_argument('weights', metavar='WEIGHTS', help='checkpoint of it')
    parser.add_argument(
        'inputs',
        metavar='INPUT',
        nargs='+',
        help=f'file ({", ".join(ENDINGS)}), folder or pattern',
    )
    parser.add_argument(
        '--out-dir',
        help='write predictions.json, predictions.csv, features.npy here; the same '
        'command goes on where one was interrupted',
    )
    parser.add_argument(
        '--top-k', type=int, help='classes; default: 5 a clip, 1 a step of a recording'
    )
    parser.add_argument(
        '--features', action='store_true', help='features too, for --out-dir'
    )
    parser.add_argument(
        '--layout', help='layout of the inputs: a name, or a .json file that tells it'
    )
    parser.add_argument('--format', choices=FORMATS, help='the source format of INPUT')
    parser.add_argument('--split', help='split of annotation files; default: all clips')
    parser.add_argument(
        '--strict', action='store_true', help='stop at the first bad file'
    )
    parser.add_argument(
        '--non-finite',
        choices=('error', 'zero'),
        default='error',
        help='NaN makes an input bad (default), or a joint one that was not measured',
    )
    parser.add_argument('--device', help='such as cpu or cuda:1')
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, help='override settings'
    )
    recording = parser.add_argument_group('long recordings')
    recording.add_argument(
        '--segment', action='store_true', help='find segments; --window alone does too'
    )
    recording.add_argument(
        '--window', type=int, help='frames; default: the clip length of the config'
    )
    recording.add_argument('--stride', type=int, help='frames; default: half a window')
    recording.add_argument('--fps', type=float, help='frames a second, for times')
    recording.add_argument(
        '--min-length', type=int, default=0, help='frames of the shortest segment'
    )
    args = parser.parse_args(argv)
    if args.window is not None:
        args.segment = True
    times = (args.stride, args.fps, args.min_length or None)
    if not args.segment and any(option is not None for option in times):
        parser.error('--stride, --fps and --min-length go with --segment or --window')
    if args.segment and args.features:
        parser.error('--features are those of clips, not of recordings')
    if args.features and not args.out_dir:
        parser.error('--features are written to --out-dir, which is not given')
    return args


@one_line(OSError, RuntimeError, ValueError)
def main(argv: Sequence[str] | None = None) -> int:
    """Infers, writes, and prints a table.

    Args:
        argv: Arguments without the program's name. Defaults to the command line.

    Returns:
        Exit status: 0, or 1 where nothing could be inferred.
    """
    args = parse_args(argv)
    options = dict(
        batch_size=args.batch_size,
        out_dir=args.out_dir,
        layout=args.layout,
        format=args.format,
        split=args.split,
        strict=args.strict,
    )
    if args.top_k is not None:
        options['top_k'] = args.top_k
    inferencer = SkeletonInferencer(
        args.config,
        args.weights,
        args.device,
        cfg_options=args.cfg_options,
        non_finite=args.non_finite,
    )
    if args.segment:
        result = inferencer.segment(
            args.inputs,
            args.window,
            args.stride,
            args.fps,
            args.min_length,
            **options,
        )
    else:
        result = inferencer(args.inputs, features=args.features, **options)
    lines = [line for each in result['predictions'] for line in _describe(each)]
    print('\n'.join(lines[:_SHOWN]))
    if len(lines) > _SHOWN:
        print(f'... and {len(lines) - _SHOWN} more lines')
    for left_out in result['skipped']:
        print('left out: {name}: {reason}'.format(**left_out))
    print(f'inferred: {len(result["predictions"])}, left out: {len(result["skipped"])}')
    if args.out_dir:
        print(f'written:  {printable(args.out_dir)}')
    return 0


def _describe(prediction: dict) -> list[str]:
    """Lines of the table for one clip or recording."""
    lines = ['{name} ({frames} frames)'.format(**prediction)]
    for segment in prediction.get('segments', ()):
        where = f'{segment["start"]:>7} - {segment["end"]:>7}'
        if 'start_s' in segment:
            where += f'  {segment["start_s"]:8.1f} - {segment["end_s"]:8.1f} s'
        lines.append(f'  {where}  {_entry(segment)}')
    if 'top' in prediction:
        lines[0] += f': {_listed(prediction["top"])}'
        # One person alone is the clip.
        if len(prediction['persons']) > 1:
            lines += [
                f'  person {each["person"]}: {_listed(each["top"])}'
                for each in prediction['persons']
            ]
    return lines


def _listed(top: list[dict]) -> str:
    return ', '.join(map(_entry, top))


def _entry(entry: dict) -> str:
    return f'{entry["class"] or entry["label"]} {entry["score"]:.2f}'


if __name__ == '__main__':
    sys.exit(main())
