"""What every converter of a source format shares."""

from __future__ import annotations

import contextlib
import sys
import tarfile
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from mmengine.utils import ProgressBar


class BadFileError(ValueError):
    """A source file is not what its format says; the message is the reason."""


class BaseConverter(ABC):
    """A source format that is read file by file.

    A new format is a subclass in a file of its own, and a line in ``CONVERTERS``.

    Attributes:
        format: Name on the command line and of the data set.
        layout: Name of a layout in :mod:`fdmae_mm.datasets.layouts`.
        classes: Class names in the order of the labels.
        source: Where the data come from.
        files: What the files are called, for messages.
    """

    format: str
    layout: str
    classes: tuple[str, ...]
    source: str
    files: str

    @abstractmethod
    def accepts(self, name: str) -> bool:
        """Whether the file of this name (without folders) holds samples."""

    @abstractmethod
    def parse(self, name: str, content: bytes) -> list[dict]:
        """Reads the samples of one file. It depends on its arguments alone.

        Args:
            name: File name without folders.
            content: The bytes of the file.

        Returns:
            Annotations with frame_dir, label, keypoint (M, T, V, C) in metres and
            total_frames, and with subject and view where the format knows them.

        Raises:
            BadFileError: The file cannot be used.
        """

    @abstractmethod
    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """The standard splits: lists of frame_dir by name."""


@contextlib.contextmanager
def _files(
    source: Path, accepts: Callable[[str], bool]
) -> Iterator[list[tuple[str, Callable[[], bytes]]]]:
    """(name, read) of the accepted files in a folder or a tar archive.

    An archive is not unpacked, so that no name in it reaches the file system, and only
    its regular files count, no links.
    """
    if not source.exists():
        raise FileNotFoundError(
            f'{source} does not exist; give an archive or a folder.'
        )
    if source.is_dir():
        paths = sorted(path for path in source.rglob('*') if path.is_file())
        yield [(path.name, path.read_bytes) for path in paths if accepts(path.name)]
        return
    try:
        with tarfile.open(source) as archive:
            members = [
                (PurePosixPath(member.name).name, member)
                for member in archive
                if member.isfile()
            ]
            yield [
                (name, archive.extractfile(member).read)
                for name, member in members
                if accepts(name)
            ]
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f'{source} is no readable tar archive, it may be incomplete: {error}. '
            'Download it again or give the unpacked folder.'
        ) from error


def _check(annotation: dict) -> None:
    """Raises BadFileError where coordinates are not finite or no frame is there."""
    keypoint = annotation['keypoint']
    if not keypoint.shape[1]:
        raise BadFileError('no frames')
    stray = np.count_nonzero(~np.isfinite(keypoint))
    if stray:
        raise BadFileError(f'{stray} coordinates are NaN or infinite')


def convert(
    converter: BaseConverter, source: str | Path, strict: bool = False
) -> tuple[dict, list[tuple[str, str]]]:
    """Reads a source into an annotation dict.

    Args:
        converter: The format.
        source: Archive (.tar, .tar.gz) or folder, searched with its subfolders.
        strict: Stop at the first bad file; otherwise it is left out and listed.

    Returns:
        The annotation dict, and (file, reason) of what was left out.

    Raises:
        FileNotFoundError: ``source`` does not exist.
        ValueError: It holds no usable file of the format.
        BadFileError: A file is bad and ``strict`` is set.
    """
    source = Path(source)
    annotations, skipped, seen = [], [], set()
    with _files(source, converter.accepts) as files:
        if not files:
            raise ValueError(f'{source} holds no {converter.files}.')
        bar = ProgressBar(len(files), file=sys.stderr)
        for name, read in files:
            try:
                parsed = converter.parse(name, read())
                for annotation in parsed:
                    if annotation['frame_dir'] in seen:
                        raise BadFileError('a second file of this name')
                    _check(annotation)
                    seen.add(annotation['frame_dir'])
                annotations += parsed
            except (BadFileError, OSError) as error:
                if strict:
                    raise BadFileError(f'{source}, {name}: {error}') from error
                skipped.append((name, str(error)))
            bar.update()
        sys.stderr.write('\n')
    if not annotations:
        raise ValueError(
            f'{source}: none of {len(skipped)} files could be used. The first, '
            f'{skipped[0][0]}: {skipped[0][1]}.'
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
    subjects = {sample['subject'] for sample in samples if 'subject' in sample}
    splits = ', '.join(f'{k} {len(v)}' for k, v in annotation['split'].items())
    lines = [
        f'sequences: {len(samples)}',
        f'classes:   {len(classes)}',
        *(f'  {i:2d} {name}: {count[i]}' for i, name in enumerate(classes)),
        f'subjects:  {len(subjects) or "unknown"}',
        f'frames:    {min(frames)} / {np.median(frames):g} / {max(frames)} '
        '(min / median / max)',
        f'splits:    {splits}',
        f'skipped:   {len(skipped)}',
        *(f'  {name}: {reason}' for name, reason in skipped),
    ]
    return '\n'.join(lines)
