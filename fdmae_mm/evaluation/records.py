"""Result records: what was measured, and what is needed to measure it again."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import mmaction
import mmengine
import numpy
import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.runner import CheckpointLoader

from ..datasets.skeleton_dataset import parts_of
from ..files import written_whole
from ..version import __version__

# What a record holds. A file that lacks one of these is no record.
FIELDS = (
    'config',
    'protocol',
    'dataset',
    'split',
    'seed',
    'start',
    'metrics',
    'epochs',
    'seconds',
    'command',
    'device',
    'versions',
    'revision',
    'date',
)


def make_record(
    cfg: Config,
    metrics: Mapping[str, float],
    seconds: float,
    epochs: int = 0,
    checkpoint: str | None = None,
    loader: str | None = None,
) -> dict:
    """What a run measured, as plain numbers, strings, lists and dicts.

    Args:
        cfg (Config): The run's config. Its ``protocol`` names what was measured;
            without one it is a pre-training run.
        metrics (Mapping[str, float]): What was measured; accuracies in %.
        seconds (float): Wall time of the run.
        epochs (int): Epochs trained.
        checkpoint (str, optional): The weights that the run started from.
        loader (str, optional): Which loader of the config gave the clips that the
            metrics are of; by default ``'train_dataloader'`` of a pre-training run,
            else ``'eval_dataloader'``.

    Returns:
        dict: With the keys of ``FIELDS``, and ``processes``, how many shared the work,
        which older records do not have. ``versions`` has those of the packages that
        ``custom_imports`` of the config names too, None for one that does not tell.
        ``start`` says what made the checkpoint: its config, seed, epochs and seconds;
        None where there is none. ``command`` has the options that the run was given;
        None in records older than this field.
    """
    protocol = cfg.get('protocol', 'pretrain')
    if loader is None:
        loader = 'train_dataloader' if protocol == 'pretrain' else 'eval_dataloader'
    parts = parts_of(cfg.get(loader, {}).get('dataset', {}))
    files = dict.fromkeys(Path(part.get('ann_file', '')).stem for part in parts)
    splits = dict.fromkeys(part.get('split') for part in parts)
    measured = measured_on()
    measured['versions'] |= _imported_versions(cfg)
    return dict(
        config=Path(cfg.filename).stem if cfg.filename else None,
        protocol=protocol,
        dataset='+'.join(files),
        split='+'.join(filter(None, splits)) or None,
        seed=cfg.get('randomness', {}).get('seed'),
        start=None if checkpoint is None else made_by(checkpoint),
        metrics={name: round(float(value), 3) for name, value in metrics.items()},
        epochs=epochs,
        seconds=round(seconds),
        command=command_line(sys.argv),
        processes=get_world_size(),
        **measured,
    )


def fuse_records(records: Sequence[Mapping], metrics: Mapping[str, float]) -> dict:
    """The record of the summed scores of several runs.

    Args:
        records (Sequence[Mapping]): Those of the runs, one a stream.
        metrics (Mapping[str, float]): What the sum has; accuracies in %.

    Returns:
        dict: As the first record, with the metrics of the sum, the seconds of all, and
        ``streams``: config, seed and start of each.

    Raises:
        ValueError: The runs are not of one protocol, data set and split.
    """
    first = records[0]
    for record in records:
        for field in ('protocol', 'dataset', 'split'):
            if record[field] != first[field]:
                raise ValueError(
                    f'{first["config"]} has {field} {first[field]!r} and '
                    f'{record["config"]} {record[field]!r} in the records: streams are '
                    'of the same test.'
                )
    return dict(
        first,
        metrics={name: round(float(value), 3) for name, value in metrics.items()},
        seconds=sum(record['seconds'] for record in records),
        streams=[
            {field: record[field] for field in ('config', 'seed', 'start')}
            for record in records
        ],
        command=command_line(sys.argv),
        processes=1,
        **measured_on(),
    )


def measured_on() -> dict:
    """Device, versions, revision and date of what is measured now."""
    return dict(
        device=_device(),
        versions=dict(
            fdmae_mm=__version__,
            torch=torch.__version__,
            mmengine=mmengine.__version__,
            mmaction2=mmaction.__version__,
            numpy=numpy.__version__,
            python=platform.python_version(),
        ),
        revision=revision(),
        date=time.strftime('%Y-%m-%d'),
    )


def write_record(record: Mapping, path: str | os.PathLike) -> None:
    """Writes a record as json; an interruption leaves no half-written file."""
    with written_whole(path) as part:
        part.write_text(json.dumps(record, indent=2) + '\n')


def read_record(path: str | os.PathLike) -> dict:
    """Reads a record.

    Raises:
        ValueError: The file is no record. The message says what it lacks.
    """
    try:
        record = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f'{path} is no valid json: {error}.') from error
    if not isinstance(record, dict) or (missing := set(FIELDS) - record.keys()):
        lacks = sorted(missing) if isinstance(record, dict) else 'everything'
        raise ValueError(
            f'{path} is no result record: it lacks {lacks}. Records are written by '
            'tools/train.py and tools/probe.py with a config of configs/.'
        )
    return record


def command_line(arguments: Sequence[str]) -> str:
    """A command as records have it, without where others have the project."""
    return shlex.join(arguments).replace(f'{Path.cwd()}{os.sep}', '')


def made_by(checkpoint: str) -> dict:
    """Config, seed, epochs and seconds of the run that made a checkpoint.

    As far as its meta data tell, None for the others.
    """
    try:
        meta = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    except FileNotFoundError:  # deleted since; the run has ended, and its record counts
        meta = {}
    meta = meta.get('meta') or {}
    # A runner names its experiment CONFIG_DATE_TIME.
    name = meta.get('experiment_name', Path(checkpoint).stem)
    return dict(
        config=name.rsplit('_', 2)[0] if 'experiment_name' in meta else name,
        seed=meta.get('seed'),
        epochs=meta.get('epoch'),
        seconds=round(meta['seconds']) if 'seconds' in meta else None,
    )


def _imported_versions(cfg: Config) -> dict[str, str | None]:
    """Versions of the packages, other than this one, that a config imports."""
    imports = (cfg.get('custom_imports') or {}).get('imports') or []
    imports = [imports] if isinstance(imports, str) else imports
    packages = {name.partition('.')[0] for name in imports} - {'fdmae_mm'}
    # It reads what every installed package has: not where nobody asks.
    distributions = metadata.packages_distributions() if packages else {}
    return {
        name: metadata.version(distributions[name][0])
        if name in distributions
        else getattr(sys.modules.get(name), '__version__', None)
        for name in sorted(packages)
    }


def _device() -> str:
    if torch.cuda.is_available():
        # Those of the machine would not tell how many were used.
        return f'{get_world_size()} x {torch.cuda.get_device_name()}'
    return f'CPU, {torch.get_num_threads()} threads'


def revision() -> str | None:
    """The commit of this source tree, with + where files differ from it."""
    here = Path(__file__)
    # In a hook of git they name the repository of the hook.
    env = {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}

    def git(*args: str) -> str:
        return subprocess.run(
            # Whoever owns the files: git refuses a tree of another user, whose code
            # runs here in any case.
            ['git', '-c', 'safe.directory=*', '-C', str(here.parent), *args],
            capture_output=True,
            text=True,
            check=True,
            env=env,
        ).stdout.strip()

    try:
        # Fails where the package is installed inside the repository of another project.
        git('ls-files', '--error-unmatch', here.name)
        return git('describe', '--always', '--dirty=+', '--match=', '--abbrev=10')
    except (OSError, subprocess.CalledProcessError):  # a wheel, or no git
        return None
