#!/usr/bin/env python
"""Speed of a config, where its time goes, and how it compares.

python tools/analysis/benchmark.py fdmae_ntu60 --batch-size 4 --threads 1
python tools/analysis/benchmark.py fdmae_ntu60 --against mamp_ntu60 mae_ntu60
python tools/analysis/benchmark.py fdmae_ntu60 --against fdmae_ntu60 \\
    --against-options optim_wrapper.optimizer.fused=True
python tools/analysis/benchmark.py fdmae_ntu60 --against-script theirs.py
python tools/analysis/benchmark.py fdmae_ntu60 --sweep batch 1 4 16 64
python tools/analysis/benchmark.py finetune_ntu60 --what inference --sweep batch 1 8
python tools/analysis/benchmark.py fdmae_ntu60 --what data --against STOCK.py

All that is compared runs in one process, step by step in turn, so that a slow moment
of the machine meets each of them. A figure is the median, with the quartiles in
brackets. The parts of a step add up to its median by their share of all steps. Clips
are synthetic unless --data own is given; a training step reads and masks them too.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config

from fdmae_mm.apis.loading import find_config, override
from fdmae_mm.apis.options import ConfigOptions, tool_parser
from fdmae_mm.files import check_writable, written_whole
from fdmae_mm.speed import QUANTITIES, Script, Setting, benchmark, changed
from fdmae_mm.speed.workloads import COUNTED_CLIPS


def main(argv: Sequence[str] | None = None) -> dict:
    """Measures, prints tables and returns what they hold."""
    args = parse_args(argv)
    if args.out:
        check_writable(args.out)
    if args.threads:
        torch.set_num_threads(args.threads)
    rounds = max(args.steps // args.block, 1)
    measured = benchmark(settings(args), rounds, args.warmup, args.block, args.memory)
    arguments = sys.argv[1:] if argv is None else argv
    result = dict(
        command=shlex.join(['tools/analysis/benchmark.py', *arguments]),
        what=args.what,
        data=args.data,
        persons=args.persons if args.data == 'synthetic' else None,
        **measured,
    )
    if args.out:
        with written_whole(args.out) as part:
            part.write_text(json.dumps(result, indent=2) + '\n')
    print(report(result))
    return result


def settings(args: argparse.Namespace) -> list[Setting | Script]:
    """What the command line asks to measure."""
    first = setting(args.config, args.cfg_options, args)
    if args.sweep:
        quantity, *values = args.sweep
        return [changed(first, quantity, float(value)) for value in values]
    found = [first]
    for config in args.against:
        found.append(setting(config, args.against_options, args))
    for script in args.against_script:
        batch_size = found[0].batch_size
        name = Path(script).name
        found.append(Script(name, script, batch_size, args.device, args.amp))
    return found


def setting(config: str, options: dict | None, args: argparse.Namespace) -> Setting:
    """A config with the options of the command line."""
    path = find_config(config)
    cfg = Config.fromfile(path)
    override(cfg, options)
    changes = (
        f' {key.split(".")[-1]}={value}' for key, value in (options or {}).items()
    )
    loader = 'eval_dataloader' if args.what == 'inference' else 'train_dataloader'
    return Setting(
        name=path.stem + ''.join(changes),
        cfg=cfg,
        what=args.what,
        batch_size=args.batch_size or (cfg.get(loader) or {}).get('batch_size', 1),
        persons=args.persons,
        data=args.data,
        device=args.device,
        amp=args.amp,
        compile=args.compile,
        workers=args.workers,
        # Those before the timed ones warm up, and count operations.
        steps=args.steps + args.warmup + COUNTED_CLIPS,
    )


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = tool_parser(__doc__)
    add = parser.add_argument
    add('config', help='config file, or the name of a shipped one')
    add(
        '--what',
        choices=['train', 'inference', 'data'],
        default='train',
        help='training steps (default); test_step of a classifier; or the training '
        'pipeline, sample by sample',
    )
    add('--against', nargs='+', default=[], metavar='CONFIG', help='compare with these')
    add(
        '--against-script',
        nargs='+',
        default=[],
        metavar='FILE.py',
        help='compare with code of others: make_step(batch_size, device) of the file '
        'returns a function that makes one step',
    )
    add(
        '--sweep',
        nargs='+',
        metavar=('QUANTITY', 'VALUE'),
        help='measure the config at several values of '
        + ', '.join(f'{name} ({what})' for name, what in QUANTITIES.items()),
    )
    add('--batch-size', type=int, help="clips a step; default: the config's")
    add('--steps', type=int, help='timed steps; default: 20, on CUDA and of data 200')
    add('--warmup', type=int, default=3, help='steps before them (default: 3)')
    add(
        '--block',
        type=int,
        help='steps in a row that are timed as one; default: 1, on CUDA and of data 10',
    )
    add('--threads', type=int, help="of torch; default: torch's")
    add('--device', choices=['cpu', 'cuda'], help='default: cuda where there is one')
    add('--amp', action='store_true', help='autocast to bfloat16')
    add('--compile', action='store_true', help='torch.compile the step')
    add(
        '--persons',
        type=float,
        help='share of synthetic clips with a second person; default: 1/6, as in NTU '
        'RGB+D 60, of inference 0',
    )
    add(
        '--data',
        choices=['synthetic', 'own'],
        default='synthetic',
        help="synthetic clips (default), or those of the config's annotation file",
    )
    add(
        '--workers',
        type=int,
        default=0,
        help='processes that load data of training; 0, the default, shows what the '
        'data cost',
    )
    add(
        '--memory',
        action='store_true',
        help='peak memory on a CPU too, each in a fresh process: half a minute',
    )
    for name, whose in (('--cfg-options', 'CONFIG'), ('--against-options', 'others')):
        add(name, nargs='+', action=ConfigOptions, help=f'override settings of {whose}')
    add('--out', help='write the result to this .json file')
    args = parser.parse_args(argv)
    others = args.against or args.against_script
    if args.sweep and others:
        parser.error('--sweep measures one config: leave --against out')
    if args.sweep and (args.sweep[0] not in QUANTITIES or len(args.sweep) < 2):
        parser.error(f'--sweep takes one of {", ".join(QUANTITIES)}, then values')
    if args.against_options and not args.against:
        parser.error('--against-options are those of --against, which is not given')
    for name in ('batch_size', 'steps', 'block', 'threads'):
        if (value := getattr(args, name)) is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} {value}: must be at least 1')
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    if args.device == 'cpu' and args.amp and torch.cuda.is_available():
        parser.error(
            '--device cpu --amp: MMEngine casts on the GPU that it sees. Hide it: '
            'CUDA_VISIBLE_DEVICES=-1'
        )
    short = args.device == 'cuda' or args.what == 'data'
    defaults = dict(
        steps=200 if short else 20,
        block=10 if short else 1,
        persons=0.0 if args.what == 'inference' else 1 / 6,
    )
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def report(result: dict) -> str:
    """The tables that are printed."""
    workloads = result['workloads']
    names = [work['name'] for work in workloads]
    what = 'samples' if result['what'] == 'data' else 'clips'
    rows = [
        (
            *('', f'{what}/s', 'ms a step', 'GFLOP a clip', 'of peak', 'peak MB'),
            f'speedup of {names[0]}',
        )
    ]
    for work in workloads:
        counts = (work['gflops_forward'], work['gflops_step'])
        use, peak = work['flop_use'], work['peak_mb']
        rows.append(
            (
                work['name'],
                _spread(work['clips_per_s'], 1),
                _spread(work['ms'], 2),
                ' / '.join('–' if n is None else f'{n:.2f}' for n in counts),
                '–' if use is None else f'{use:.1%}',
                '–' if peak is None else f'{peak:.0f}',
                '' if work is workloads[0] else _spread(work['speedup'], 2),
            )
        )
    parts = [('ms of a step', *(cell for name in names for cell in (name, '')))]
    for part in dict.fromkeys(part for work in workloads for part in work['parts']):
        parts.append((part, *(c for work in workloads for c in _part(work, part))))
    title = (
        f'{result["what"]}, {result["rounds"]} x {result["block"]} steps, '
        f'{result["device"]}, threads: {result["threads"]}, {result["precision"]}, '
        f'{result["data"]} clips'
    )
    return '\n'.join([title, '', *_aligned(rows), '', *_aligned(parts)])


def _part(work: dict, part: str) -> tuple[str, str]:
    ms = work['parts'].get(part)
    return ('–', '') if ms is None else (f'{ms:.2f}', f'{ms / work["ms"][0]:.1%}')


def _spread(spread: list[float], digits: int) -> str:
    median, low, high = (f'{value:.{digits}f}' for value in spread)
    return f'{median} ({low} – {high})'


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines with the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        '  '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in rows
    ]


if __name__ == '__main__':
    main()
