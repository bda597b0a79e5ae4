"""PKU-MMD skeletons, phases I and II."""

from __future__ import annotations

import re
from abc import abstractmethod
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np

from .base import BadFileError, BaseConverter, LeftOut

_NUM_PERSONS, _NUM_JOINTS = 2, 25
_FRAME_VALUES = _NUM_PERSONS * _NUM_JOINTS * 3
_PROTOCOLS = {'subject': 'xsub', 'view': 'xview'}


class BasePKUMMDConverter(BaseConverter):
    """Recordings that are cut into clips by their label files.

    A recording is a text file with a line of 150 numbers a frame: two persons of 25
    joints in metres. The label file has its name and lies in a folder with "label" in
    its name; its lines are action (1 to 51), start, end, confidence. The archives of
    skeletons and of labels come apart, so that the source is a folder that has both.

    A clip is the frames start to end - 1, counted from 0, and named by recording and
    line: 0002-L_000. So does the data preparation of MAMP [1]_; the authors of the set
    do not say how frames are counted. As there, a clip without frames (its end is not
    after its start) or of zeros only is left out. Persons keep their places; one of
    zeros only is dropped. Frames without anybody stay.

    The protocols are cross-subject and cross-view, where the left camera is held out
    (Liu et al. [2]_). The split lists of the set are used where they are in the source
    (cross-subject.txt, cross_view.txt, ...; for phase II with ``_v2``), and the rules
    that they follow where they are not. Those for subjects are read off the lists in
    [3]_ and agree with the published number of recordings, 944 / 132 in phase I.

    .. [1] https://github.com/maoyunyao/MAMP/blob/main/data/pku_v2/pku_gendata.py
    .. [2] https://arxiv.org/abs/1703.07475
    .. [3] https://github.com/Adamink/ViewAdaptiveLSTM/tree/master/scripts

    Attributes:
        name: Form of a recording's name; ends in the view, L, M or R.
        split_name: Form of the name of a split list.
    """

    layout = 'nturgb+d'
    # Phase II has 41 of them, under the same numbers.
    # fmt: off
    classes = (
        'bow', 'brushing hair', 'brushing teeth', 'check time (from watch)', 'cheer up',
        'clapping', 'cross hands in front (say stop)', 'drink water', 'drop',
        'eat meal/snack', 'falling', 'giving something to other person', 'hand waving',
        'handshaking', 'hopping (one foot jumping)', 'hugging other person', 'jump up',
        'kicking other person', 'kicking something', 'make a phone call/answer phone',
        'pat on back of other person', 'pickup', 'playing with phone/tablet',
        'point finger at the other person', 'pointing to something with finger',
        'punching/slapping other person', 'pushing other person', 'put on a hat/cap',
        'put something inside pocket', 'reading', 'rub two hands together', 'salute',
        'sitting down', 'standing up', 'take off a hat/cap', 'take off glasses',
        'take off jacket', 'take out something from pocket', 'taking a selfie',
        'tear up paper', 'throw', 'touch back (backache)',
        'touch chest (stomachache/heart pain)', 'touch head (headache)',
        'touch neck (neckache)', 'typing on a keyboard',
        'use a fan (with hand or paper)/feeling warm', 'wear jacket', 'wear on glasses',
        'wipe face', 'writing',
    )
    # fmt: on
    name: re.Pattern
    split_name: re.Pattern

    def __init__(self) -> None:
        self._labels: dict[str, tuple[PurePosixPath, str]] = {}
        self._lists: dict[str, tuple[set[str], set[str]]] = {}

    @abstractmethod
    def is_held_out(self, recording: str) -> bool:
        """Whether its subjects are those that test."""

    def accepts(self, path: PurePosixPath) -> bool:
        """Whether the file is a recording."""
        return self._is_text(path) and not _is_label(path)

    def is_side_file(self, path: PurePosixPath) -> bool:
        """Whether the file holds labels or a split list."""
        is_label = self._is_text(path) and _is_label(path)
        return is_label or self.split_name.fullmatch(path.name) is not None

    def _is_text(self, path: PurePosixPath) -> bool:
        return path.suffix == '.txt' and self.name.fullmatch(path.stem) is not None

    def read_side_file(self, path: PurePosixPath, file: BinaryIO) -> None:
        """Keeps labels, or the training and the validation recordings.

        Raises:
            BadFileError: A recording has two files of labels that differ, or the list
                is none.
        """
        text = file.read().decode(errors='replace')
        if self._is_text(path):
            before, known = self._labels.setdefault(path.stem, (path, text))
            if text != known:
                raise BadFileError(
                    f'{before} and {path} are labels of one recording, and differ: '
                    'leave the folder of one of them out'
                )
            return
        # The files spell it "Validataion".
        parts = re.split('(?i)valid', text, maxsplit=1)
        lists = tuple(set(self.name.findall(part)) for part in parts)
        if len(lists) != 2 or not all(lists):
            raise BadFileError(
                f'{path} is no split list: expected "Training videos:" and the names '
                f'of {self.files}, then "Validation videos:" and theirs. Without this '
                'file, the published rule is used'
            )
        self._lists[_PROTOCOLS[self.split_name.fullmatch(path.name)[1]]] = tuple(lists)

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict | LeftOut]:
        """Cuts a recording into its clips."""
        recording = path.stem
        if recording not in self._labels:
            raise BadFileError(
                f'no labels: {path.name} is in no folder with "label" in its name; '
                'give the folder that holds skeletons and labels'
            )
        frames = _read_frames(file)
        samples = []
        labels, text = self._labels[recording]
        for line, (action, start, end) in enumerate(_read_labels(labels, text)):
            if not 1 <= action <= len(self.classes):
                raise BadFileError(
                    f'line {line + 1} of its labels, {labels}, has the action '
                    f'{action}, expected 1 to {len(self.classes)}'
                )
            if start < 0 or end > len(frames):
                raise BadFileError(
                    f'line {line + 1} of its labels, {labels}, is a clip from frame '
                    f'{start} to {end}, but the recording has {len(frames)} frames; '
                    'it may be incomplete'
                )
            clip = frames[start:end].swapaxes(0, 1)  # (M, T, V, C)
            clip = clip[clip.any(axis=(1, 2, 3))]
            name = f'{recording}_{line:03d}'
            if not clip.size:
                reason = f'nobody is seen from frame {start} to {end}'
                samples.append(LeftOut(name, reason))
                continue
            samples.append(
                dict(
                    frame_dir=name,
                    label=action - 1,
                    keypoint=clip,
                    total_frames=clip.shape[1],
                    recording=recording,
                    view=recording[-1],
                )
            )
        return samples

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        """Cross-subject and cross-view."""
        recordings = {a['recording'] for a in annotations}
        rules = dict(xsub=self.is_held_out, xview=lambda name: name.endswith('L'))
        splits = {}
        for protocol, rule in rules.items():
            val = {name for name in recordings if rule(name)}
            lists = self._lists.get(protocol, (recordings - val, val))
            for part, names in zip(('train', 'val'), lists, strict=True):
                splits[f'{protocol}_{part}'] = [
                    a['frame_dir'] for a in annotations if a['recording'] in names
                ]
        return splits


class PKUMMD1Converter(BasePKUMMDConverter):
    """Phase I: long recordings ``0002-L.txt``. Their names do not tell the subjects."""

    format = 'pku_mmd1'
    source = 'PKU-MMD, phase I (Liu et al., ACM MM workshop 2017)'
    files = 'recordings 0002-L.txt'
    name = re.compile(r'\d{4}-[LMR]')
    split_name = re.compile(r'cross[-_](subject|view)\.txt')

    def is_held_out(self, recording: str) -> bool:
        """Recordings 291 to 334 are those of the 9 subjects that test."""
        return 291 <= int(recording[:4]) <= 334


class PKUMMD2Converter(BasePKUMMDConverter):
    """Phase II: short recordings ``A01N01-L.txt`` (script, subject, view)."""

    format = 'pku_mmd2'
    source = 'PKU-MMD, phase II (Liu et al., ACM MM workshop 2017)'
    files = 'recordings A01N01-L.txt'
    name = re.compile(r'A\d{2}N\d{2}-[LMR]')
    split_name = re.compile(r'cross[-_](subject|view)[-_]v2\.txt')

    def is_held_out(self, recording: str) -> bool:
        """Subjects 2, 3 and 7 test."""
        return _subject(recording) in (2, 3, 7)

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict | LeftOut]:
        """Cuts a recording into its clips, of one subject."""
        subject = _subject(path.stem)
        return [
            sample if isinstance(sample, LeftOut) else dict(sample, subject=subject)
            for sample in super().parse(path, file)
        ]


def _subject(recording: str) -> int:
    return int(recording[4:6])


def _is_label(path: PurePosixPath) -> bool:
    return any('label' in folder.lower() for folder in path.parts[:-1])


def _read_frames(file: BinaryIO) -> np.ndarray:
    """Reads (T, M, V, C) in metres."""
    text = file.read()
    if not text.strip():
        raise BadFileError('the file is empty')
    try:
        frames = np.loadtxt(text.splitlines(), dtype=np.float32, comments=None, ndmin=2)
    except ValueError as error:
        # What follows the semicolon is advice on numpy.
        reason = str(error).split(';')[0]
        raise BadFileError(f'not {_FRAME_VALUES} numbers a line: {reason}') from error
    if frames.shape[1] != _FRAME_VALUES:
        raise BadFileError(
            f'its lines have {frames.shape[1]} numbers, expected {_FRAME_VALUES}'
        )
    return frames.reshape(-1, _NUM_PERSONS, _NUM_JOINTS, 3)


def _read_labels(path: PurePosixPath, text: str) -> list[tuple[int, int, int]]:
    """Action, start and end of each line."""
    try:
        rows = [line.split(',')[:3] for line in text.splitlines() if line.strip()]
        return [(int(action), int(start), int(end)) for action, start, end in rows]
    except ValueError as error:
        raise BadFileError(
            f'its labels, {path}, are not lines of action,start,end,confidence: {error}'
        ) from error
