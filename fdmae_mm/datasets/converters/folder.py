"""Files with labels of one's own: the label table, the layout and plain arrays."""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from abc import abstractmethod
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np

from ..keypoints import check_order, check_scores
from ..layouts import LAYOUTS, SkeletonLayout, read_layout
from .base import BAD_ARRAY, BadFileError, BaseConverter

_TABLE = 'labels.csv'
# Endings that the table may name a sample by; other dots belong to the name.
_SUFFIXES = {'.npy', '.csv', '.json', '.mp4', '.avi', '.mov', '.mkv', '.webm'}


def add_layout(parser: ArgumentParser, **kwargs) -> None:
    """Declares ``--layout``, which :func:`read_layout` reads."""
    parser.add_argument(
        '--layout',
        help=f'one of {", ".join(LAYOUTS)}, or a .json file with "joints" (names) and '
        '"edges" (pairs)',
        **kwargs,
    )


def layout_entry(layout: SkeletonLayout) -> str | dict:
    """How an annotation file names a layout: its fields where no name tells them."""
    return layout.name if LAYOUTS.get(layout.name) == layout else asdict(layout)


def check_joints(found: int, layout: SkeletonLayout) -> None:
    """Raises BadFileError that names layouts which fit, where the joints do not."""
    if found != layout.num_joints:
        fit = sorted(n for n, known in LAYOUTS.items() if known.num_joints == found)
        raise BadFileError(
            f'{found} joints, but the layout {layout.name!r} has {layout.num_joints}; '
            f'layouts of {found} joints: {", ".join(fit) or "none"}; another can be '
            'given with --layout FILE.json'
        )


class LabelledConverter(BaseConverter):
    """Files that do not say what action they hold.

    The labels stand in a table ``labels.csv`` anywhere in the source, with the columns
    ``file,label`` and, where they are known, ``subject``, ``split`` and ``fold``.
    ``file`` is relative to the table; its ending can be left out or be that of the
    video that the data were made from. Without a table, the folder that holds a file
    names its class.

    Classes are numbered in the sorted order of their names, whole numbers by their
    value: 0 to K - 1 stay what they are, also where a table has made them 0.0.

    Splits are those of the column ``split``. The column ``fold`` makes those of a
    cross-validation: a clip with 2 there is in ``fold2_val``, and in ``fold1_train``
    and all others. Without either, and with a subject for every file, the 2nd, 5th, 8th
    ... subject are ``val`` and the others ``train``: no person is in both. Without
    subjects, 20 % of each class, at least one of two or more, are drawn for ``val``.

    Args:
        layout: What :func:`read_layout` takes.
        seed: Seed of the split where it is drawn.

    Raises:
        ValueError: No such layout.

    Attributes:
        suffixes: Endings of the files.
        default_layout: What ``--layout`` is if it is not given; None: it must be.
    """

    suffixes: tuple[str, ...]
    default_layout: str | None = None

    def __init__(self, layout: str | Mapping | SkeletonLayout, seed: int = 0) -> None:
        self._skeleton = read_layout(layout)
        self.layout = layout_entry(self._skeleton)
        self.seed = seed
        self._rows: dict[str, dict[str, str]] = {}
        self._table: PurePosixPath | None = None
        self._names: set[str] = set()

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the name has an ending of the format."""
        return path.suffix.lower() in self.suffixes and path.name != _TABLE

    def is_side_file(self, path: PurePosixPath) -> bool:
        """Whether the file is the table."""
        return path.name == _TABLE

    def read_side_file(self, path: PurePosixPath, file: BinaryIO) -> None:
        """Reads the table.

        Raises:
            BadFileError: The table cannot be used.
        """
        if self._table is not None:
            raise BadFileError(f'{self._table} and {path}: there must be one table.')
        self._table = path
        try:
            self._read_table(path.parent, file.read().decode('utf-8-sig'))
        except UnicodeDecodeError as error:
            raise BadFileError(f'{path}: {error}; save it as CSV UTF-8.') from error
        except (csv.Error, BadFileError) as error:
            raise BadFileError(f'{path}: {error}.') from error

    def _read_table(self, folder: PurePosixPath, text: str) -> None:
        table = csv.DictReader(text.splitlines(), strict=True)
        table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
        columns = set(table.fieldnames)
        known = {'file', 'label', 'subject', 'split', 'fold'}
        if not {'file', 'label'} <= columns <= known:
            raise BadFileError(
                'the first line must name the columns file,label and, if known, '
                f'subject, split and fold, separated by ",", not {table.fieldnames}'
            )
        spelled = {}
        for row in table:
            where = f'line {table.line_num}'
            # A cell too many stands under None, one that lacks is None.
            if None in row or not all(cell and cell.strip() for cell in row.values()):
                raise BadFileError(f'{where} must have {len(columns)} cells, all full')
            row = {column: _composed(cell.strip()) for column, cell in row.items()}
            if not row.get('fold', '0').isdecimal():
                raise BadFileError(
                    f'{where} has the fold {row["fold"]!r}, which must be the number '
                    'of the fold that holds the clip out'
                )
            name = self.name_of(folder / row.pop('file').replace('\\', '/'))
            if name in self._rows:
                raise BadFileError(f'{where} lists {name} a second time')
            for column, cell in row.items():
                known = spelled.setdefault((column, cell.casefold()), cell)
                if cell != known:
                    raise BadFileError(
                        f'{where} has the {column} {cell!r}, which differs from '
                        f'{known!r} in case alone; write both alike'
                    )
            self._rows[name] = row

    def prepare(self, paths: Sequence[PurePosixPath]) -> None:
        """Collects the names of the samples and of their classes."""
        self._names = {self.name_of(path) for path in paths}
        if self._table is None:
            labels = {self.class_of(path) for path in paths} - {''}
        else:
            labels = {row['label'] for row in self._rows.values()}
        # Not in a property, which every file would sort anew.
        self.classes = sorted(labels)
        values = {label: _whole_number(label) for label in self.classes}
        if None in values.values():
            return
        self.classes.sort(key=values.get)
        for one, other in pairwise(self.classes):
            if values[one] == values[other]:
                raise BadFileError(
                    f'the labels {one!r} and {other!r} are one number: write both alike'
                )

    @staticmethod
    def name_of(path: PurePosixPath) -> str:
        """The path without its ending: frame_dir, and how the table is searched."""
        path = path.with_suffix('') if path.suffix.lower() in _SUFFIXES else path
        return _composed(str(path))

    def class_of(self, path: PurePosixPath) -> str:
        """The folder that names the class where no table does, '' if there is none."""
        return _composed(path.parent.name)

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        """Reads the one sample of a file and labels it."""
        return [self.annotate(path, lambda: self.read_sample(path, file))]

    def annotate(self, path: PurePosixPath, read: Callable[[], dict]) -> dict:
        """Labels a sample, which is not read if it has no label.

        Args:
            path: Path of the sample.
            read: Gives what :meth:`read_sample` returns.

        Raises:
            BadFileError: There is no label.
        """
        name = self.name_of(path)
        row = dict(label=self.class_of(path))
        if self._table is not None:
            if name not in self._rows:
                raise BadFileError(f'not listed in {self._table}')
            row = self._rows[name]
        elif not row['label']:
            raise BadFileError(
                f'no label: add a {_TABLE}, or a folder for each class; for '
                'pre-training without labels, put the files into one folder of any '
                'name inside the source'
            )
        sample = read()
        return dict(
            frame_dir=name,
            label=self.classes.index(row['label']),
            total_frames=sample['keypoint'].shape[1],
            **({'subject': row['subject']} if 'subject' in row else {}),
            **sample,
        )

    @abstractmethod
    def read_sample(self, path: PurePosixPath, file: BinaryIO) -> dict:
        """What the file says: keypoint (M, T, V, C), and what belongs to it.

        Raises:
            BadFileError: The file cannot be used.
        """

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """From the table, by subject, or drawn.

        Raises:
            ValueError: The table lists files that are not there or numbers a single
                fold, or some samples have two coordinates and others three.
        """
        if absent := sorted(self._rows.keys() - self._names):
            raise ValueError(
                f'{self._table} lists {len(absent)} files that are not there, the '
                f'first is {absent[0]}. Add them or take their lines out.'
            )
        names = [a['frame_dir'] for a in annotations]
        dims = {a['keypoint'].shape[3]: a['frame_dir'] for a in annotations}
        if len(dims) > 1:
            raise ValueError(
                f'{dims[2]} has 2 coordinates a joint and {dims[3]} has 3. Convert '
                'them to files of their own.'
            )
        split = {}
        if any('split' in row for row in self._rows.values()):
            for name in names:
                split.setdefault(self._rows[name]['split'], []).append(name)
        return (split | self._folds(names)) or self._held_out(names, annotations)

    def _folds(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The splits of a cross-validation, where the table has one."""
        folds = {
            name: int(self._rows[name]['fold'])
            for name in names
            if 'fold' in self._rows.get(name, ())
        }
        numbers = sorted(set(folds.values()))
        if len(numbers) == 1:
            raise ValueError(
                f'{self._table} has fold {numbers[0]} alone, which would hold all '
                'clips out: number two or more.'
            )
        return {
            f'fold{number}_{part}': [
                name for name in names if (folds[name] == number) == (part == 'val')
            ]
            for number in numbers
            for part in ('train', 'val')
        }

    def _held_out(
        self, names: Sequence[str], annotations: list[dict]
    ) -> dict[str, list[str]]:
        """By subject, or drawn."""
        subjects = {a.get('subject') for a in annotations}
        if None not in subjects and len(subjects) > 1:
            # Short before long, so that numbers stand in their order.
            order = sorted(subjects, key=lambda subject: (len(subject), subject))
            chosen = set(order[1::3])
            held_out = {a['frame_dir'] for a in annotations if a['subject'] in chosen}
        else:
            held_out = self._draw(annotations)
        train, val = (
            [name for name in names if (name in held_out) == part]
            for part in (False, True)
        )
        return dict(train=train, val=val)

    def _draw(self, annotations: list[dict]) -> set[str]:
        """A fifth of each class. scikit-learn's refuses classes of one sample."""
        rng = np.random.default_rng(self.seed)
        held_out, by_label = set(), defaultdict(list)
        for annotation in annotations:
            by_label[annotation['label']].append(annotation['frame_dir'])
        for _, names in sorted(by_label.items()):
            taken = max(1, round(0.2 * len(names))) if len(names) > 1 else 0
            held_out.update(rng.permutation(names)[:taken].tolist())
        return held_out

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        """Layout and seed."""
        default = cls.default_layout
        add_layout(parser, default=default, required=default is None)
        parser.add_argument(
            '--seed', type=int, default=0, help='of the split, where it is drawn'
        )


class FolderConverter(LabelledConverter):
    """Files .npy and .csv with the joints of one sequence each.

    A .npy file is an array (M, T, V, C), or (T, V, C) of one person, without pickle. A
    .csv file is one person with a line a frame: V * C numbers joint by joint, or, under
    a line of names, the columns ``<joint>_x``, ``<joint>_y`` and ``<joint>_z`` in any
    order beside others. C is 2 or 3; the unit is kept, and models expect metres. Joints
    that were not measured are zeros, not NaN, which an empty cell is too.

    Labels and splits: see :class:`LabelledConverter`.

    Args:
        layout: Name of a layout or path of a .json file, see :func:`read_layout`.
        seed: Seed of the split where it is drawn.
    """

    format = 'folder'
    source = 'a folder of .npy or .csv files'
    files = 'files *.npy or *.csv'
    suffixes = ('.npy', '.csv')

    def overlooked(self, paths: Sequence[PurePosixPath]) -> list[tuple[str, str]]:
        """Files in folders of classes that are no part of a sample, by their ending.

        What has the name of a sample, such as its video, belongs to it. A table says
        which files there are.
        """
        by_ending = {}
        for path in paths:
            is_part = _composed(str(path.with_suffix(''))) in self._names
            if self._table is None and self.class_of(path) and not is_part:
                by_ending.setdefault(path.suffix, []).append(path)
        return [
            (str(found[0]), f'one of {len(found)} that are no {self.files}')
            for found in by_ending.values()
        ]

    def read_sample(self, path: PurePosixPath, file: BinaryIO) -> dict:
        """The array of a file."""
        if path.suffix.lower() == '.csv':
            keypoint = self._read_csv(file)
        else:
            try:
                # NumPy fails on the file objects of tarfile.
                content = io.BytesIO(file.read())
                keypoint = np.lib.format.read_array(content, allow_pickle=False)
            except BAD_ARRAY as error:
                raise BadFileError(
                    f'no array without pickle: {error}; save the array itself, '
                    'np.save(name, array), and not a dict that holds it'
                ) from error
        if keypoint.ndim == 3:
            keypoint = keypoint[None]
        if (
            keypoint.ndim != 4
            or not keypoint.shape[0]
            or keypoint.dtype.kind not in 'iuf'
        ):
            raise BadFileError(
                f'the array has the shape {keypoint.shape} and the type '
                f'{keypoint.dtype}, expected numbers (persons, frames, joints, '
                'coordinates), or (frames, joints, coordinates) of one person'
            )
        try:
            check_order(keypoint)
            check_joints(keypoint.shape[2], self._skeleton)
            if keypoint.shape[3] not in (2, 3):
                raise ValueError(f'{keypoint.shape[3]} coordinates a joint, not 2 or 3')
            check_scores(keypoint)
        except ValueError as error:
            raise BadFileError(str(error)) from error
        return dict(keypoint=np.ascontiguousarray(keypoint, dtype=np.float32))

    def _read_csv(self, file: BinaryIO) -> np.ndarray:
        """(T, V, C)."""
        try:
            lines = file.read().decode('utf-8-sig').splitlines()
            rows = [
                [cell.strip() for cell in row]
                for row in csv.reader(lines, strict=True)
                if row
            ]
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadFileError(f'no csv file: {error}') from error
        if not rows:
            raise BadFileError('no frames')
        for separator in ';\t':
            if any(separator in cell for cell in rows[0]):
                raise BadFileError(
                    f'the cells are separated by {separator!r}; write them with "," '
                    'between cells and "." in numbers'
                )
        num_joints, width = self._skeleton.num_joints, len(rows[0])
        for number, row in enumerate(rows, 1):
            if len(row) != width:
                raise BadFileError(
                    f'row {number} has {len(row)} cells and the first has {width}; '
                    "numbers are written with '.' and not with a comma"
                )
        # What pandas writes above columns without names.
        counted = rows[0] == [str(column) for column in range(width)]
        header = [name.lower() for name in rows[0]]
        joints = [joint.lower() for joint in self._skeleton.joints]
        named = {f'{joint}_{axis}' for joint in joints for axis in 'xyz'} & set(header)
        first = 1
        # Cells of numbers may be empty or wrong, and names may be those of others.
        if not named and (any(map(_is_number, header)) or not any(header)):
            dims, wanted = width / num_joints, range(1, width + 1)
            if dims not in (2, 3):
                more = '; with a state or score of each joint, leave it out'
                raise BadFileError(
                    f'{width} columns, but the layout {self._skeleton.name!r} needs '
                    f'{3 * num_joints} or {2 * num_joints}, separated by commas, or '
                    f'names in the first line{more if dims == 4 else ""}'
                )
            if counted:
                rows, first = rows[1:], 2
        else:
            dims = 3 if any(f'{joint}_z' in header for joint in joints) else 2
            wanted = [f'{joint}_{axis}' for joint in joints for axis in 'xyz'[:dims]]
            if missing := [name for name in wanted if name not in header]:
                raise BadFileError(
                    f'the first line does not name {len(missing)} columns of the '
                    f'layout {self._skeleton.name!r}, the first is {missing[0]}; it '
                    f'names {", ".join(rows[0][:3])}, ...; columns are called JOINT_x, '
                    'JOINT_y and JOINT_z'
                )
            if twice := [name for name in wanted if header.count(name) > 1]:
                raise BadFileError(f'the first line names {twice[0]} more than once')
            columns = [header.index(name) for name in wanted]
            rows = [[row[column] for column in columns] for row in rows[1:]]
            first = 2
        rows = [[cell or 'nan' for cell in row] for row in rows]
        try:
            values = np.array(rows, dtype=np.float32)
        except ValueError as error:
            where = next(
                f'row {number}, column {column}: {cell!r}'
                for number, row in enumerate(rows, first)
                for column, cell in zip(wanted, row, strict=True)
                if not _is_number(cell)
            )
            raise BadFileError(f'{where} is no number') from error
        return values.reshape(len(rows), num_joints, int(dims))


def _composed(text: str) -> str:
    """The text, of whose letters none is two characters, as a Mac writes its names."""
    return unicodedata.normalize('NFC', text)


def _whole_number(text: str) -> float | None:
    """Its value, also where a table has made it 2.0; None if it is none."""
    value = float(text) if _is_number(text) else math.nan
    return value if value.is_integer() else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
