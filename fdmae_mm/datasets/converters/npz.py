"""The .npz files that MAMP, CTR-GCN and their relatives train from."""

from __future__ import annotations

import contextlib
import math
import re
import zipfile
import zlib
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

import numpy as np

from ..layouts import read_layout
from .base import BAD_ARRAY, BadFileError, BaseConverter
from .folder import add_layout, layout_entry
from .ntu import NTU60Converter, NTU120Converter
from .pku_mmd import PKUMMD1Converter, PKUMMD2Converter

# Arrays x_..., y_..., and how MMAction2 calls them.
_PARTS = {'train': 'train', 'test': 'val'}
# How the file names of NTU RGB+D and PKU-MMD write their protocols.
_PROTOCOLS = {
    **dict.fromkeys(('cs', 'csub', 'xsub'), 'xsub'),
    **dict.fromkeys(('cv', 'cview', 'xview'), 'xview'),
    **dict.fromkeys(('cset', 'xset'), 'xset'),
}

_CLASSES = {
    'ntu60': NTU60Converter.classes,
    'ntu120': NTU120Converter.classes,
    'pkuv1': PKUMMD1Converter.classes,
    'pkuv2': PKUMMD2Converter.classes,
}


class NPZConverter(BaseConverter):
    """One .npz file with x_train, y_train, x_test and y_test.

    x has the shape (N, T, M * V * 3), as the scripts of CTR-GCN and MAMP write it for
    NTU RGB+D and PKU-MMD (``NTU60_CS``, ``NTU120_XSet``, ``PKUv2_XSub``: 300 frames, 2
    persons, 25 joints), or (N, 3, T, V, M). y is one-hot (N, K) or integers (N,).

    Frames of zeros at the end and persons of zeros are cut off; a sample of zeros only
    keeps one frame. x is read sample by sample, so that memory holds no more than what
    is kept. The files name neither subjects nor videos: samples are called
    ``train_000000``, ``test_000000`` in their order.

    Args:
        layout: Name of a layout or path of a .json file, see :func:`read_layout`.
        split_name: The splits are ``<split_name>_train`` and ``<split_name>_val``. By
            default xsub, xview or xset where the name of the file says so, else
            ``train`` and ``val``.
        classes: Text file with the names of the classes, one a line in the order of the
            labels. By default those of NTU RGB+D or PKU-MMD where the name of the file
            begins with NTU60, NTU120, PKUv1 or PKUv2, else numbers.

    Raises:
        ValueError: No such layout.
        OSError: ``classes`` cannot be read.
    """

    format = 'npz'
    source = 'an .npz file as MAMP and CTR-GCN use'
    files = 'files *.npz'

    def __init__(
        self,
        layout: str = 'nturgb+d',
        split_name: str | None = None,
        classes: str | None = None,
    ) -> None:
        self._skeleton = read_layout(layout)
        self.layout = layout_entry(self._skeleton)
        self.split_name = split_name
        self.classes = ()
        if classes is not None:
            lines = Path(classes).read_text(encoding='utf-8-sig').splitlines()
            self.classes = tuple(line.strip() for line in lines if line.strip())
        self._path: PurePosixPath | None = None

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Layout, names of splits and of classes."""
        add_layout(parser, default='nturgb+d')
        parser.add_argument(
            '--split-name', help='such as xsub; the default is what the file name says'
        )
        parser.add_argument(
            '--classes', metavar='FILE', help='names of the classes, one a line'
        )

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the name ends in .npz."""
        return path.suffix == '.npz'

    def is_side_file(self, path: PurePosixPath) -> bool:
        """The file itself, because it says how many classes there are."""
        return self.accepts(path)

    def read_side_file(self, path: PurePosixPath, file: BinaryIO) -> None:
        """Reads the number of classes.

        Raises:
            BadFileError: The file is damaged or lacks an array, its labels are none or
                begin at 1, there are fewer names than classes, or it is the second.
        """
        if self._path is not None:
            raise BadFileError(f'{self._path} and {path}: convert one at a time.')
        self._path = path
        try:
            with _open(file) as archive:
                found = [_read_labels(archive, part) for part in _PARTS]
        except BadFileError as error:
            raise BadFileError(f'{path}: {error}.') from error
        count = max(count for _, count in found)
        first = min(labels.min(initial=count) for labels, _ in found)
        names = self.classes or _CLASSES.get(_words(path)[0], ())
        if first == 1 and len(names) < count:
            raise BadFileError(
                f'{path} has labels that begin at 1; save y - 1. If class 0 has no '
                'sample, name all classes with --classes FILE.'
            )
        self.classes = names or tuple(map(str, range(count)))
        if len(self.classes) < count:
            raise BadFileError(
                f'{path} has {count} classes, but {len(self.classes)} names; give one '
                'a class with --classes FILE.'
            )

    def parse(self, path: PurePosixPath, file: BinaryIO) -> Iterator[dict]:
        """Reads one sample after another."""
        with _open(file) as archive:
            for part in _PARTS:
                labels, _ = _read_labels(archive, part)
                samples = self._read_samples(archive, part, len(labels))
                for i, (label, sample) in enumerate(zip(labels, samples, strict=True)):
                    keypoint = _trim(sample)
                    yield dict(
                        frame_dir=f'{part}_{i:06d}',
                        label=int(label),
                        keypoint=keypoint,
                        total_frames=keypoint.shape[1],
                    )

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """The train and the test arrays."""
        name = self.split_name
        if name is None:
            words = _words(self._path)
            name = next((_PROTOCOLS[word] for word in words if word in _PROTOCOLS), '')
        prefix = f'{name}_' if name else ''
        return {
            f'{prefix}{split}': [
                a['frame_dir'] for a in annotations if a['frame_dir'].startswith(part)
            ]
            for part, split in _PARTS.items()
        }

    def _read_samples(
        self, archive: zipfile.ZipFile, part: str, count: int
    ) -> Iterator[np.ndarray]:
        """Yields (T, M, V, 3), views of a buffer of one sample."""
        with archive.open(f'x_{part}.npy') as file:
            shape, fortran, dtype = _read_header(file)
            if fortran or dtype.kind not in 'iuf':
                raise BadFileError(
                    f'x_{part} must be numbers in C order, not {dtype} in '
                    f'{"Fortran" if fortran else "C"} order; save it again as '
                    'np.ascontiguousarray(x, dtype=np.float32)'
                )
            self._check_shape(part, shape, count)
            size = dtype.itemsize * math.prod(shape[1:])
            for i in range(count):
                content = file.read(size)
                if len(content) < size:
                    raise BadFileError(f'x_{part} ends in its sample {i} of {count}')
                sample = np.frombuffer(content, dtype).reshape(shape[1:])
                if len(shape) == 5:
                    yield sample.transpose(1, 3, 2, 0)
                else:
                    yield sample.reshape(shape[1], -1, self._skeleton.num_joints, 3)

    def _check_shape(self, part: str, shape: tuple[int, ...], count: int) -> None:
        joints = self._skeleton.num_joints
        flat = len(shape) == 3 and shape[1] and shape[2] and not shape[2] % (3 * joints)
        deep = len(shape) == 5 and shape[1] == 3 and shape[3] == joints
        if deep and shape[4] == 3:
            raise BadFileError(
                f'x_{part} has the shape {shape}, which reads both as (N, 3, T, V, M) '
                'of 3 persons and as (N, M, T, V, 3) of 3 persons; save it as '
                '(N, T, M * V * 3)'
            )
        if not (flat or (deep and 0 not in shape[1:])):
            raise BadFileError(
                f'x_{part} has the shape {shape}, expected (N, T, M * {joints} * 3) or '
                f'(N, 3, T, {joints}, M) for the layout {self._skeleton.name!r}; '
                'choose another with --layout'
            )
        if shape[0] != count:
            raise BadFileError(
                f'x_{part} has {shape[0]} samples and y_{part} {count} labels'
            )


def _words(path: PurePosixPath) -> list[str]:
    """Parts of a file name: NTU60_CS_aligned -> ntu60, cs, aligned."""
    return re.split('[^a-z0-9]+', path.stem.lower())


def _trim(sample: np.ndarray) -> np.ndarray:
    """(T, M, V, C) -> (M', T', V, C) float32 without absent persons and the padding."""
    found = sample.any(axis=(2, 3))  # (T, M)
    if not found.any():
        return np.zeros((1, 1, *sample.shape[2:]), np.float32)
    length = np.flatnonzero(found.any(axis=1))[-1] + 1
    kept = sample[:length, found.any(axis=0)].transpose(1, 0, 2, 3)
    return np.ascontiguousarray(kept, dtype=np.float32)


@contextlib.contextmanager
def _open(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The archive that an .npz file is; what goes wrong inside is a BadFileError."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = {name.removesuffix('.npy') for name in archive.namelist()}
            if missing := [
                f'{array}_{part}'
                for part in _PARTS
                for array in 'xy'
                if f'{array}_{part}' not in names
            ]:
                raise BadFileError(f'no {missing}; it has {sorted(names)}')
            yield archive
    except BadFileError:
        raise
    except (zipfile.BadZipFile, zlib.error, *BAD_ARRAY) as error:
        raise BadFileError(f'damaged, incomplete or no .npz file: {error}') from error


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether it is in Fortran order, and type of an array."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _read_labels(archive: zipfile.ZipFile, part: str) -> tuple[np.ndarray, int]:
    """Labels (N,), and the number of classes."""
    with archive.open(f'y_{part}.npy') as file:
        y = np.lib.format.read_array(file, allow_pickle=False)
    if y.dtype.kind not in 'biuf' or y.ndim not in (1, 2) or y.shape[1:] == (1,):
        raise BadFileError(
            f'y_{part} has the shape {y.shape} and the type {y.dtype}, expected '
            'one-hot numbers (N, classes) or integers (N,)'
        )
    if y.ndim == 2:
        wrong = np.flatnonzero((y > 0).sum(axis=1) != 1)
        labels, count = y.argmax(axis=1), y.shape[1]
    else:
        wrong = np.flatnonzero((y < 0) | (y != np.floor(y)))
        labels = y.astype(np.int64)
        count = labels.max(initial=-1) + 1
    if len(wrong):
        raise BadFileError(f'y_{part}[{wrong[0]}] is no label: {y[wrong[0]]}')
    return labels, int(count)
