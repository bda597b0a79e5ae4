#!/usr/bin/env python
"""Runs methods x data sets x seeds x protocols, and goes on where it stopped.

python tools/grid.py --methods mae mamp fdmae --datasets nw-ucla_small \\
    --protocols probe finetune semi10 --seeds 0 1 2

Pre-trains configs/METHOD_DATASET.py, or configs/ablations/METHOD_DATASET_ABLATION.py,
with each seed, then evaluates the last checkpoint by each protocol: `probe` is
tools/probe.py (linear, 1-NN), `probe-joints` the same with --keep-joints, any other
name is that of a config configs/benchmarks/*/PROTOCOL_DATASET.py, which is trained, or
PROTOCOL_DATASET_METHOD.py for a method with an encoder of its own. Each is looked for
in the folder of --configs first.
PROTOCOL-to-TARGET, for example probe-to-utd-mhad or finetune-to-utd-mhad, measures it
on another data set, by a config of configs/benchmarks/transfer.
Two methods need no pre-training, and stand beside all others: `untrained`, the same
protocols from random weights, and `joints`, whose one protocol is `probe`.
What has left a record is not run again, and a run that was stopped is resumed: the same
command goes on. Ctrl-C or a SIGTERM stops all runs. A run that fails ends its own chain
alone. Records are gathered in configs/results, from which tools/benchmark_table.py
writes the tables. Scores of the test clips stay in the folder of each run, for
tools/analysis/compare_scores.py.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

from fdmae_mm.apis.commands import REFERENCES, numbered_checkpoints
from fdmae_mm.apis.options import tool_parser
from fdmae_mm.datasets.skeleton_dataset import unrepeated
from fdmae_mm.errors import one_line
from fdmae_mm.evaluation.records import command_line, read_record, write_record
from fdmae_mm.files import check_writable, held

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
# Protocols of tools/probe.py, and its options.
PROBES = {'probe': [], 'probe-joints': ['--keep-joints']}
# What of a config decides what is measured; logs and hooks of the run time do not.
SETTINGS = (
    'model',
    'train_dataloader',
    'val_dataloader',
    'bank_dataloader',
    'eval_dataloader',
    'optim_wrapper',
    'param_scheduler',
    'train_cfg',
    'custom_hooks',
)


class Processes:
    """Runs programs from several threads, until they are stopped together."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, command: Sequence[str], **options) -> int:
        """Exit status of a program; that of SIGTERM where all were stopped before."""
        with self._lock:
            if self._stopped:
                return -signal.SIGTERM
            process = subprocess.Popen(command, **options)
            self._running.add(process)
        status = process.wait()
        with self._lock:
            self._running.remove(process)
        return status

    def stop(self) -> None:
        """End those that run, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()


@dataclass(frozen=True)
class Chain:
    """One pre-training run, and what is evaluated of it, in this order."""

    method: str
    dataset: str
    seed: int
    split: str | None
    ablation: str | None
    configs: Path = CONFIGS

    @property
    def name(self) -> str:
        """The name of its folder."""
        split = f'_{self.split}' if self.split else ''
        stem = self.config.stem if self.config else f'{self.method}_{self.dataset}'
        return f'{stem}{split}_s{self.seed}'

    @property
    def config(self) -> Path | None:
        """The config of the pre-training run; None where there is none."""
        if self.method in REFERENCES:
            return None
        if self.ablation:
            name = f'{self.method}_{self.dataset}_{self.ablation}.py'
            return self.find(f'ablations/{name}')
        return self.find(f'{self.method}_{self.dataset}.py')

    def find(self, name: str) -> Path:
        """The config of a name, of one's own or shipped."""
        own = self.configs / name
        return own if own.exists() else CONFIGS / name


@one_line(OSError, ValueError)
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the grid.

    Returns:
        Exit status: 0, or 1 where a chain was not run to its end.
    """
    args = parse_args(argv)
    chains = [
        Chain(method, dataset, seed, split, ablation, args.configs)
        # Seeds outermost: a grid that is stopped has all methods for the first seeds.
        for seed, dataset, split, method, ablation in itertools.product(
            args.seeds, args.datasets, args.splits, args.methods, args.ablations
        )
    ]
    configs = dict.fromkeys(  # each once: the seeds of a grid share them
        config
        for chain in chains
        for config in (chain.config, *(benchmark(p, chain) for p in args.protocols))
        if config
    )
    for config in configs:  # a typo ends the grid before it begins
        if not config.exists():
            raise FileNotFoundError(
                f'there is no config {config}; one of your own is looked for in the '
                'folder of --configs'
            )
        if 'train_cfg' not in Config.fromfile(config):
            raise ValueError(f'{config} trains nothing; neighbours are part of probe')
    check_writable(args.records / 'record.json')
    slots = queue.SimpleQueue()
    devices = visible_devices()
    # Where it can be told, those that a job queue has lent.
    lent = getattr(os, 'sched_getaffinity', lambda _: range(os.cpu_count() or 1))
    cores = len(lent(0))
    jobs = args.jobs or len(devices) or cores
    for slot in range(jobs):
        threads = os.environ.get('OMP_NUM_THREADS') or str(max(1, cores // jobs))
        environment = {'OMP_NUM_THREADS': threads}
        if devices:
            environment['CUDA_VISIBLE_DEVICES'] = devices[slot % len(devices)]
        slots.put(environment)
    problems, processes = [], Processes()
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with ThreadPoolExecutor(jobs) as pool:
        try:
            pending = {
                pool.submit(run_chain, chain, args, slots, processes): chain
                for chain in chains
            }
            for done, future in enumerate(as_completed(pending), 1):
                if (problem := future.result()) is not None:
                    problems.append(problem)
                say(f'[{done}/{len(chains)}] {pending[future].name}')
        except BaseException:
            processes.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = tool_parser(__doc__)
    parser.add_argument('--methods', nargs='+', required=True)
    parser.add_argument('--datasets', nargs='+', required=True)
    parser.add_argument(
        '--protocols',
        nargs='*',
        default=['probe'],
        help='of the encoder; none for what is trained with labels: stgcnpp',
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument(
        '--ablations',
        nargs='+',
        default=[None],
        help='ablations by name, for example no-ema no-frequency, instead of the '
        'method as it is',
    )
    parser.add_argument(
        '--splits',
        nargs='+',
        default=[None],
        help="splits by name, for example fold1 fold2, instead of the configs' own",
    )
    parser.add_argument(
        '--draws', type=int, default=1, help='draws of labelled clips (semi*)'
    )
    parser.add_argument(
        '--jobs', type=int, help='runs side by side; default: GPUs, else cores'
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/grid'))
    parser.add_argument(
        '--records',
        type=Path,
        default=None if ROOT.name == '.mim' else CONFIGS / 'results',
        help='folder of the records; default in a source tree: configs/results',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='for the pre-training runs'
    )
    parser.add_argument(
        '--configs',
        type=Path,
        default=CONFIGS,
        help='folder of your own configs, as those of this project are ordered; what '
        'it lacks is taken from here',
    )
    args = parser.parse_args(argv)
    if args.records is None:
        parser.error(
            '--records FOLDER is needed outside of a source tree: the records of the '
            'package are its own, and gone with the next installation'
        )
    if not args.configs.is_dir():
        parser.error(f'--configs {args.configs} is no folder')
    own = args.configs.resolve() != CONFIGS
    if own and args.work_dir == parser.get_default('work_dir'):
        parser.error(
            f'--configs: give --work-dir too, as {args.work_dir} holds what the '
            'shipped configs of these names have trained'
        )
    changed = args.cfg_options or own
    if changed and args.records == parser.get_default('records'):
        parser.error(
            '--configs and --cfg-options measure other methods than the shipped ones: '
            'give --records a folder beside configs/results, from which the tables are '
            'written'
        )
    references = set(args.methods).intersection(REFERENCES)
    if references and args.ablations != [None]:
        parser.error(f'--ablations of {sorted(references)}: there is nothing to change')
    if 'joints' in args.methods and set(args.protocols) != {'probe'}:
        parser.error(
            f'--protocols {" ".join(args.protocols)}: joints, which are no encoder, '
            'have probe alone. Run them by themselves.'
        )
    return args


def visible_devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    count = torch.cuda.device_count()
    names = os.environ.get('CUDA_VISIBLE_DEVICES')
    return names.split(',')[:count] if names else [str(i) for i in range(count)]


def benchmark(protocol: str, chain: Chain) -> Path:
    """The config of a protocol on the data set of a chain."""
    protocol, to, target = protocol.partition('-to-')
    # The fast probe takes encoder and data from the config of the slow one.
    protocol = 'linear' if protocol in PROBES else protocol
    if to:
        source, _, size = chain.dataset.partition('_')
        name = f'{protocol}_{source}-to-{target}{size and "_"}{size}.py'
        return chain.find(f'benchmarks/transfer/{name}')
    stem = f'benchmarks/{protocol.rstrip("0123456789")}/{protocol}_{chain.dataset}'
    own = chain.find(f'{stem}_{chain.method}.py')
    return own if own.exists() else chain.find(f'{stem}.py')


def run_chain(
    chain: Chain,
    args: argparse.Namespace,
    slots: queue.SimpleQueue,
    processes: Processes,
) -> str | None:
    """Runs what is left of a chain; returns what kept it from its end."""
    environment = slots.get()
    folder = args.work_dir / chain.name
    try:
        with held(folder) as lock:
            run = partial(
                processes.run,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                # A run that outlives its grid keeps it.
                pass_fds=[] if lock is None else [lock],
            )
            return run_steps(chain, args, run)
    except (OSError, ValueError) as error:  # it ends its own chain alone
        return f'error: {chain.name}: {error}'
    finally:
        slots.put(environment)


def run_steps(
    chain: Chain, args: argparse.Namespace, run: Callable[..., int]
) -> str | None:
    """Runs what has no record yet, in order, and gathers the records."""
    for name, command in commands(chain, args):
        record = args.work_dir / chain.name / name / 'record.json'
        log = record.with_name('log.txt')
        config = Config.fromfile(command[1])
        settings = {key: config.get(key) for key in SETTINGS}
        # What follows a pre-training starts from its checkpoint, which may be moved.
        begins = name == 'pretrain' or chain.config is None
        if begins:
            settings['options'] = options_of(command)
        settings = json.dumps(settings, indent=1)
        kept = record.with_name('settings.json')
        if kept.exists() and kept.read_text() != settings:
            return (
                f'error: {record.parent} was run with the settings in {kept.name} '
                f'there, which are not those of {command[1]} with '
                f'{options_of(command)}: take another --work-dir, or delete the folder'
            )
        gathered = args.records / f'{chain.name}_{name}.json'
        own = args.records.resolve() != CONFIGS / 'results'
        if own and begins and gathered.exists():
            before = options_of(shlex.split(read_record(gathered)['command']))
            options = options_of(shlex.split(command_line(command)))
            if before != options:
                return (
                    f'error: {gathered} is of a run with {before}, not with '
                    f'{options}: give --records another folder'
                )
        if not record.exists():
            log.parent.mkdir(exist_ok=True)
            kept.write_text(settings)
            start = time.monotonic()
            with log.open('a') as file:
                print(shlex.join(command), file=file, flush=True)
                status = run([sys.executable, *command], stdout=file)
            if status or not record.exists():
                return f'failed, see {log}'
            say(
                f'{chain.name} {name}: {read_record(record)["metrics"]} '
                f'({time.monotonic() - start:.0f} s)'
            )
        write_record(read_record(record), gathered)
    return None


def say(progress: str) -> None:
    """Prints a line. A reader that has gone, as ``head`` does, stops no run."""
    with contextlib.suppress(BrokenPipeError):
        print(progress, flush=True)


def options_of(command: Sequence[str]) -> list[str]:
    """What --cfg-options has, the last option of a command."""
    return list(command[command.index('--cfg-options') + 1 :])


def commands(chain: Chain, args: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """(folder, command) of each run of a chain, made when the one before has ended."""
    folder = args.work_dir / chain.name

    def command(
        tool: str, argument: str, config: Path, name: str, *options: str
    ) -> tuple[str, list[str]]:
        cfg = Config.fromfile(config)
        dump = []
        if tool == 'probe':
            dump = [f'--dump={folder / name}']
        elif cfg.get('val_evaluator'):
            dump = [f'--dump={folder / name / "scores.pkl"}']
        return name, [
            str(ROOT / 'tools' / f'{tool}.py'),
            str(config),
            argument,
            f'--work-dir={folder / name}',
            *dump,
            '--cfg-options',
            f'randomness.seed={chain.seed}',
            *split_options(cfg, chain.split),
            *options,
        ]

    train = partial(command, 'train', '--resume')
    # What an evaluation must build again; what training began with is not of it.
    encoder_options = [
        option
        for option in args.cfg_options
        if option.startswith('model.backbone.')
        and not option.startswith('model.backbone.init_cfg')
    ]
    if chain.config is None:
        checkpoint = chain.method
        absent = encoder_options if chain.method == 'untrained' else []
        start = 'model.backbone.init_cfg=None'
    else:
        save = 'default_hooks.checkpoint.interval=1'
        yield train(chain.config, 'pretrain', save, *args.cfg_options)
        checkpoint = str(last_checkpoint(folder / 'pretrain'))
        encoder = Config.fromfile(chain.config).model.backbone
        # A probe must see what its encoder was trained to see.
        seen = f'model.backbone.encode_absent={encoder.get("encode_absent", False)}'
        absent = [
            *([seen] if encoder.type == 'SkeletonTransformer' else []),
            *encoder_options,
        ]
        start = f'model.backbone.init_cfg.checkpoint={checkpoint}'
    for protocol in args.protocols:
        config = benchmark(protocol, chain)
        probe = PROBES.get(protocol.partition('-to-')[0])
        if probe is not None:
            name, line = command('probe', checkpoint, config, protocol, *absent)
            yield name, [*line[:3], *probe, *line[3:]]
        elif protocol.startswith('semi'):
            key = dataset_key(Config.fromfile(config), 'train_dataloader')
            for draw in range(args.draws):
                labels = f'{key}.draw_seed={draw}'
                yield train(config, f'{protocol}_draw{draw}', *absent, start, labels)
        else:
            yield train(config, protocol, *absent, start)


def last_checkpoint(folder: Path) -> Path:
    """Where the last checkpoint of a run is, if nobody has deleted it."""
    # A file names it, by the path that it had before its folder was moved or copied.
    named = find_latest_checkpoint(str(folder))
    if not named:  # the disk was full when that file was written, say
        named = next(iter(numbered_checkpoints(folder)), 'last_checkpoint')
    return folder / Path(named).name


def split_options(cfg: Config, split: str | None) -> list[str]:
    """Settings that put SPLIT_train and SPLIT_val for the splits of a config."""
    options = []
    for loader in cfg if split else ():
        if not loader.endswith('_dataloader') or cfg[loader] is None:
            continue
        part = unrepeated(cfg[loader].dataset).get('split')
        if part is None:
            raise ValueError(
                f'{cfg.filename}: {loader} has no split, of which --splits {split} '
                'could change the first part. Give it one, or leave --splits away.'
            )
        part = part.rpartition('_')[2]
        options.append(f'{dataset_key(cfg, loader)}.split={split}_{part}')
    return options


def dataset_key(cfg: Config, loader: str) -> str:
    """Where the settings of a loader's data set are, repeated or not."""
    return f'{loader}.dataset' + (
        '.dataset' if 'dataset' in cfg[loader].dataset else ''
    )


if __name__ == '__main__':
    sys.exit(main())
