"""What every converter of a source format shares."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tarfile
import threading
import time
import tokenize
import zipfile
import zlib
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
from mmengine.utils import ProgressBar

from ...files import files_below, is_hidden, printable
from ..keypoints import body_size, check_non_finite, measured
from ..layouts import get_layout, points_down

# What NumPy raises of a damaged array or one that needs pickle: it parses the header as
# Python.
BAD_ARRAY = (
    ValueError,
    EOFError,
    MemoryError,  # a header may ask for more than there is
    OverflowError,
    SyntaxError,
    tokenize.TokenError,
)


class BadFileError(ValueError):
    """A source file is not what its format says; the message is the reason."""


@dataclass(frozen=True)
class LeftOut:
    """A sample that the set itself tells to leave out, which makes no file bad.

    Attributes:
        name: The sample.
        reason: Why it is not among the annotations.
    """

    name: str
    reason: str


class BaseConverter(ABC):
    """A source format that is read file by file.

    A new format is a subclass in a file of its own, and a line in ``CONVERTERS``. Its
    constructor takes keywords, which :meth:`add_arguments` declares for the command
    line.

    Attributes:
        format: Name on the command line and of the data set.
        layout: Name of a layout in :mod:`fdmae_mm.datasets.layouts`, or its fields.
        classes: Class names in the order of the labels.
        source: Where the data come from.
        files: What the files are called, for messages.
    """

    format: str
    layout: str | dict
    classes: Sequence[str]
    source: str
    files: str

    @classmethod  # noqa: B027, most formats have no options
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Declares what the constructor takes, as options of the command line."""

    @abstractmethod
    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the file of this path, relative to the source, holds samples."""

    def is_side_file(self, path: PurePosixPath) -> bool:
        """Whether the file holds what samples need to be read, such as labels."""
        return False

    def read_side_file(self, path: PurePosixPath, file: BinaryIO) -> None:
        """Keeps what a side file says. All are read before the first sample.

        Raises:
            BadFileError: The file cannot be used. This ends the conversion.
        """
        raise NotImplementedError

    def prepare(self, paths: Sequence[PurePosixPath]) -> None:  # noqa: B027
        """Sees all accepted paths, after the side files, before any file is read."""

    def overlooked(self, paths: Sequence[PurePosixPath]) -> list[tuple[str, str]]:
        """Files and why they hold no sample, where a user may think that they do.

        Args:
            paths: What is neither accepted nor a side file, after :meth:`prepare`.
        """
        return []

    def group_of(self, path: PurePosixPath) -> PurePosixPath:
        """What a file is parsed with: all files of one group make its samples.

        Most formats have all of a sample in one file, which is a group of its own.
        """
        return path

    @abstractmethod
    def parse(self, path: PurePosixPath, file: BinaryIO) -> Iterable[dict | LeftOut]:
        """Reads the samples of one file.

        It depends on its arguments, the side files and :meth:`prepare` alone, because
        it may run in another process.

        Args:
            path: Path of the file, relative to the source.
            file: Its content, open for reading and for seeking.

        Returns:
            Annotations with frame_dir (unique in the set), label, keypoint (M, T, V, C)
            float32, in metres unless the class says otherwise, and total_frames; with
            subject, view and whatever else :meth:`split` needs where the format knows
            them. A sample that is not to be used is a :class:`LeftOut`, also with
            ``strict``.

        Raises:
            BadFileError: The file cannot be used.
        """

    def parse_group(
        self,
        group: PurePosixPath,
        files: Iterable[tuple[PurePosixPath, BinaryIO]],
    ) -> Iterable[dict | LeftOut]:
        """Reads the samples of one group, as :meth:`parse` those of one file.

        Args:
            group: What :meth:`group_of` says of its files.
            files: Path and content of each, in the order of the source. A file is open
                until the next one is asked for. What is bad in it is told with its
                path.
        """
        for path, file in files:
            yield from self.parse(path, file)

    @abstractmethod
    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """The standard splits: lists of frame_dir by name."""


def read_json(file: BinaryIO) -> object:
    """The content of a .json file.

    Raises:
        BadFileError: It is none.
    """
    try:
        return json.load(file)
    except (RecursionError, ValueError) as error:
        raise BadFileError(f'no valid json: {error}') from error


def train_and_val(
    annotations: list[dict], **trains: Callable[[dict], bool]
) -> dict[str, list[str]]:
    """The splits of protocols that need no more than a rule.

    Args:
        annotations: What is divided.
        **trains: Protocol -> whether an annotation is one to train on.

    Returns:
        ``<protocol>_train`` and ``<protocol>_val`` of each, lists of frame_dir.
    """
    return {
        f'{protocol}_{part}': [
            a['frame_dir'] for a in annotations if rule(a) == (part == 'train')
        ]
        for protocol, rule in trains.items()
        for part in ('train', 'val')
    }


@contextlib.contextmanager
def _files(source: Path) -> Iterator[list[tuple[PurePosixPath, Callable]]]:
    """(path, open) of every file in a folder, a tar or a zip archive, or of one file.

    An archive is not unpacked, so that no name in it reaches the file system, and only
    its regular files count, no links. Hidden files and folders are left out. Paths are
    printable, because names of samples and classes are made of them.
    """
    if not source.exists():
        raise FileNotFoundError(
            f'{source} does not exist; give an archive or a folder.'
        )
    if source.is_dir():
        yield [
            (
                PurePosixPath(printable(path.relative_to(source))),
                partial(path.open, 'rb'),
            )
            for path in files_below(source)
        ]
        return
    try:
        if zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                yield [
                    (PurePosixPath(name), partial(archive.open, name))
                    for name in sorted(archive.namelist())
                    if not name.endswith('/') and not is_hidden(PurePosixPath(name))
                ]
        else:
            with tarfile.open(source) as archive:
                yield [
                    (
                        PurePosixPath(printable(member.name)),
                        partial(archive.extractfile, member),
                    )
                    for member in archive
                    if member.isfile() and not is_hidden(PurePosixPath(member.name))
                ]
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error) as e:
        raise ValueError(
            f'{source} is no readable tar or zip archive, it may be incomplete: {e}. '
            'Download it again or give the unpacked folder.'
        ) from e


def _open(open_file: Callable[[], BinaryIO]) -> BinaryIO:
    try:
        return open_file()
    except RuntimeError as error:  # a zip's, of a password or an unknown compression
        raise BadFileError(str(error)) from error


class _Group:
    """The files of a group, opened one by one."""

    def __init__(
        self,
        path: PurePosixPath,
        files: Iterable[tuple[PurePosixPath, Callable[[], BinaryIO]]],
    ) -> None:
        self.path = path
        self.files = files
        self._at = path  # the file that is being read

    def __iter__(self) -> Iterator[tuple[PurePosixPath, BinaryIO]]:
        for path, open_file in self.files:
            self._at = path
            with _open(open_file) as file:
                yield path, file
        self._at = self.path

    def bad(self, error: Exception) -> BadFileError:
        """The error with the file in which it happened, if the group has others."""
        where = '' if self._at == self.path else f'{self._at}: '
        return BadFileError(f'{where}{error}')


def _read(
    converter: BaseConverter, non_finite: str, group: _Group
) -> list[dict | LeftOut] | BadFileError:
    """Reads and checks one group; a bad one is a value here, so that a pool goes on."""
    try:
        return [
            sample if isinstance(sample, LeftOut) else _checked(sample, non_finite)
            for sample in converter.parse_group(group.path, group)
        ]
    except (BadFileError, OSError) as error:
        return group.bad(error)


# Of a worker process: _read of its converter, which may hold large side files and is
# sent once.
_read_here: Callable


def _start_worker(read: Callable) -> None:
    global _read_here
    _read_here = read
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    """Ends this process when its parent has: one that is killed tells no worker."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _read_in_worker(
    path: PurePosixPath, contents: list[tuple[PurePosixPath, bytes]]
) -> list[dict | LeftOut] | BadFileError:
    files = [(at, partial(io.BytesIO, content)) for at, content in contents]
    return _read_here(_Group(path, files))


def _checked(annotation: dict, non_finite: str) -> dict:
    """Raises BadFileError where joints are not finite or no frame is there."""
    if not annotation['keypoint'].shape[1]:
        raise BadFileError('no frames')
    try:
        return measured(annotation, non_finite)
    except ValueError as error:
        raise BadFileError(f'{annotation["frame_dir"]}: {error}') from error


def _parse_all(
    read: Callable,
    groups: list[_Group],
    workers: int,
) -> Iterator[tuple[PurePosixPath, list[dict | LeftOut] | BadFileError]]:
    """Results in the order of the groups, in this process or in others."""
    if workers == 1 or len(groups) == 1:
        for group in groups:
            yield group.path, read(group)
        return
    try:
        yield from _parse_in_workers(read, groups, workers)
    except BrokenProcessPool as error:
        raise ValueError(
            'A worker was killed, perhaps for want of memory: use fewer workers '
            '(--workers).'
        ) from error


def _parse_in_workers(
    read: Callable, groups: list[_Group], workers: int
) -> Iterator[tuple[PurePosixPath, list[dict | LeftOut] | BadFileError]]:
    # Not pool.map, which would read every file into memory at once.
    pending = deque()
    with ProcessPoolExecutor(
        workers, initializer=_start_worker, initargs=(read,)
    ) as pool:
        for group in groups:
            if len(pending) >= 8 * workers:
                done, future = pending.popleft()
                yield done, future.result()
            try:
                contents = [(path, file.read()) for path, file in group]
                future = pool.submit(_read_in_worker, group.path, contents)
            except (BadFileError, OSError) as error:
                future = Future()
                future.set_result(group.bad(error))
            pending.append((group.path, future))
        for done, future in pending:
            yield done, future.result()


def convert(
    converter: BaseConverter,
    source: str | Path,
    strict: bool = False,
    workers: int = 1,
    non_finite: str = 'error',
    show_progress: bool = True,
) -> tuple[dict, list[tuple[str, str]]]:
    """Reads a source into an annotation dict.

    Args:
        converter: The format.
        source: Archive (.tar, .tar.gz, .zip), folder, searched with its subfolders, or
            a single file of the format.
        strict: Stop at the first bad file; otherwise it is left out and listed.
        workers: Processes that parse. The result does not depend on their number.
        non_finite: What NaN and infinite numbers are. 'error': they make a file bad;
            'zero': joints that were not measured, and become zeros.
        show_progress: Whether stderr shows a progress bar.

    Returns:
        The annotation dict, and (file or sample, reason) of what was left out.

    Raises:
        FileNotFoundError: ``source`` does not exist.
        OSError: A folder in it cannot be read.
        ValueError: It holds no usable file of the format, ``workers`` is below 1, one
            of them was killed, or ``non_finite`` is neither.
        BadFileError: A file is bad and ``strict`` is set, or a side file is bad.
    """
    if workers < 1:
        raise ValueError(f'workers={workers} must be at least 1.')
    check_non_finite(non_finite)
    source = Path(source)
    single = PurePosixPath(printable(source.name))
    annotations, skipped, seen = [], [], set()
    with contextlib.ExitStack() as stack:
        if source.is_file() and converter.accepts(single):
            found = [(single, partial(source.open, 'rb'))]
        else:
            found = stack.enter_context(_files(source))
        for path, open_file in found:
            if converter.is_side_file(path):
                try:
                    file = _open(open_file)
                except BadFileError as error:
                    raise BadFileError(f'{source}, {path}: {error}') from error
                with file:
                    converter.read_side_file(path, file)
        files = [(path, read) for path, read in found if converter.accepts(path)]
        if not files:
            raise ValueError(f'{source} holds no {converter.files}.')
        others = [
            path
            for path, _ in found
            if not (converter.accepts(path) or converter.is_side_file(path))
        ]
        dead = [
            path
            for path in others
            if os.path.islink(source / path) and not os.path.exists(source / path)
        ]
        # Such as one to a folder of a class, of which nothing would be told.
        skipped += [(str(path), 'a link that leads nowhere') for path in dead]
        converter.prepare([path for path, _ in files])
        skipped += converter.overlooked([path for path in others if path not in dead])
        by_group = {}
        for path, open_file in files:
            members = by_group.setdefault(converter.group_of(path), [])
            members.append((path, open_file))
        groups = [_Group(path, members) for path, members in by_group.items()]
        shown = sys.stderr if show_progress else io.StringIO()
        bar = ProgressBar(len(groups), file=shown)
        # Ends the line of the bar, so that no error stands on it.
        stack.callback(shown.write, '\n')
        read = partial(_read, converter, non_finite)
        for path, parsed in _parse_all(read, groups, workers):
            if not isinstance(parsed, BadFileError):
                kept = [sample for sample in parsed if not isinstance(sample, LeftOut)]
                skipped += [
                    (sample.name, sample.reason)
                    for sample in parsed
                    if isinstance(sample, LeftOut)
                ]
                names = {annotation['frame_dir'] for annotation in kept}
                if len(names) < len(kept) or seen & names:
                    parsed = BadFileError('a second sample of this name')
            if isinstance(parsed, BadFileError):
                if strict:
                    raise BadFileError(f'{source}, {path}: {parsed}') from parsed
                # The reason may be an error that names the file as it is.
                skipped.append((str(path), printable(str(parsed))))
            else:
                seen |= names
                annotations += kept
            bar.update()
    if not annotations:
        name, reason = skipped[0] if skipped else (files[0][0], 'it holds no sample')
        raise ValueError(
            f'{source}: none of {len(files)} files could be used. The first, {name}: '
            f'{reason}.'
        )
    annotations.sort(key=lambda annotation: annotation['frame_dir'])
    return dict(
        split=converter.split(annotations),
        annotations=annotations,
        metainfo=dict(
            dataset=converter.format,
            layout=converter.layout,
            classes=list(converter.classes),
            source=converter.source,
        ),
    ), skipped


def summarize(annotation: dict, skipped: list[tuple[str, str]]) -> str:
    """What an annotation dict holds and what was left out, in lines of text."""
    samples = annotation['annotations']
    classes = annotation['metainfo']['classes']
    count = Counter(sample['label'] for sample in samples)
    frames = [sample['total_frames'] for sample in samples]
    # Of two persons in a clip, some sets tell the pair and not who is who.
    who = 'pair' if 'pair' in samples[0] else 'subject'
    known = {sample[who] for sample in samples if who in sample}
    size = np.median([body_size(sample['keypoint']) for sample in samples], axis=0)
    splits = ', '.join(f'{k} {len(v)}' for k, v in annotation['split'].items())
    lines = [
        f'sequences: {len(samples)}',
        f'classes:   {len(classes)}',
        *(f'  {i:2d} {name}: {count[i]}' for i, name in enumerate(classes)),
        f'{who + "s:":<11}{len(known) or "unknown"}',
        f'frames:    {min(frames)} / {np.median(frames):g} / {max(frames)} '
        '(min / median / max)',
        f'body:      {" x ".join(f"{length:.2f}" for length in size)} '
        f'({", ".join("xyz"[: len(size)])} of the first person, median)',
        *_upside_down(annotation),
        f'splits:    {splits}',
        *_shared(annotation, who),
        f'skipped:   {len(skipped)}',
        *(f'  {name}: {reason}' for name, reason in skipped),
    ]
    return '\n'.join(lines)


def _shared(annotation: dict, who: str) -> list[str]:
    """Which splits test persons whom they train on, as those across views do."""
    person_of = {s['frame_dir']: s.get(who) for s in annotation['annotations']}
    parts = {
        name: {*map(person_of.get, clips)} - {None}
        for name, clips in annotation['split'].items()
    }
    lines = []
    for name in parts:
        if not name.endswith('train'):
            continue
        tested = parts.get(f'{name.removesuffix("train")}val', set())
        if both := parts[name] & tested:
            lines.append(
                f'  {name}: {len(both)} of {len(tested)} {who}s of its test are in it'
            )
    return lines


def _upside_down(annotation: dict) -> list[str]:
    """A warning where most bodies point down along y; 3-D alone."""
    if not annotation['metainfo'].get('layout'):
        return []
    layout = get_layout(annotation['metainfo']['layout'])
    samples = annotation['annotations']
    down = sum(points_down(sample['keypoint'], layout) for sample in samples)
    if 2 * down <= len(samples):
        return []
    return [
        f'warning:   y points down in {down} of {len(samples)} sequences; models of '
        'this project expect y up: negate y and z'
    ]
