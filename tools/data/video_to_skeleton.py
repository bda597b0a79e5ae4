"""Makes an annotation file of videos, by models of mmpose.

python tools/data/video_to_skeleton.py clip.mp4 clip.pkl \\
    rtmpose-m_8xb256-420e_coco-256x192 rtmpose-m.pth --whole-image
python tools/data/video_to_skeleton.py my_videos data/mine.pkl \\
    yoloxpose_s_8xb32-300e_coco-640 yoloxpose_s.pth

A top-down model needs --detector or --whole-image. After an interruption the same
command goes on with the next video.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fdmae_mm.apis.options import tool_parser
from fdmae_mm.apis.poses import mmdet_detector
from fdmae_mm.apis.video import VideoPoseEstimator, convert_videos
from fdmae_mm.datasets.annotation import add_out
from fdmae_mm.datasets.converters import summarize
from fdmae_mm.errors import one_line
from fdmae_mm.files import printable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = tool_parser(__doc__)
    parser.add_argument(
        'source',
        metavar='VIDEOS',
        help='a video, or a folder of them: see docs/infer.md',
    )
    add_out(parser)
    parser.add_argument(
        'config', metavar='CONFIG', help='2-D config of mmpose, or its name'
    )
    parser.add_argument('weights', metavar='WEIGHTS', help='its checkpoint')
    boxes = parser.add_mutually_exclusive_group()
    boxes.add_argument(
        '--detector',
        nargs=2,
        metavar=('CONFIG', 'WEIGHTS'),
        help='detector of persons of mmdet',
    )
    boxes.add_argument(
        '--whole-image', action='store_true', help='one person fills every frame'
    )
    parser.add_argument(
        '--lifter',
        nargs=2,
        metavar=('CONFIG', 'WEIGHTS'),
        help='model of mmpose that lifts to 3-D joints of Human3.6M',
    )
    parser.add_argument('--max-persons', type=int, default=2)
    parser.add_argument(
        '--min-score', type=float, default=0.3, help='of the box of a person'
    )
    parser.add_argument(
        '--max-gap', type=int, default=30, help='frames a person can be lost for'
    )
    parser.add_argument(
        '--min-frames', type=int, default=5, help='frames a person must be seen in'
    )
    parser.add_argument(
        '--strict', action='store_true', help='stop at the first bad video'
    )
    parser.add_argument('--device', help='by default a GPU if there is one')
    return parser.parse_args(argv)


@one_line(ImportError, OSError, ValueError)
def main(argv: Sequence[str] | None = None) -> int:
    """Converts, writes, and prints what was written.

    Args:
        argv: Arguments without the program's name. Defaults to the command line.

    Returns:
        Exit status: 0, or 1 where nothing was written.
    """
    args = parse_args(argv)
    detector = 'whole_image' if args.whole_image else None
    lifter = args.lifter or (None, None)
    elsewhere = ('source', 'out', 'strict', 'device')
    settings = {k: v for k, v in vars(args).items() if k not in elsewhere}
    if args.detector:
        detector = mmdet_detector(*args.detector, args.device)
    estimator = VideoPoseEstimator(
        args.config,
        args.weights,
        device=args.device,
        detector=detector,
        lifter_config=lifter[0],
        lifter_weights=lifter[1],
        max_persons=args.max_persons,
        min_score=args.min_score,
        max_gap=args.max_gap,
        min_frames=args.min_frames,
        show_progress=Path(args.source).is_file(),
    )
    annotation, skipped = convert_videos(
        estimator, args.source, args.out, settings, args.strict
    )
    print(summarize(annotation, skipped))
    print(f'written:   {printable(args.out)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
