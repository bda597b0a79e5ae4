"""What people have to infer on, read into annotations: arrays, files, folders."""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ..datasets.annotation import clip_name, load_annotation
from ..datasets.converters import (
    CONVERTERS,
    BaseConverter,
    FolderConverter,
    LeftOut,
    MMPoseConverter,
    NTU120Converter,
    OpenPoseConverter,
    convert,
)
from ..datasets.converters.base import BAD_ARRAY
from ..datasets.keypoints import check_frames, check_order, check_scores
from ..datasets.layouts import SkeletonLayout, read_layout
from ..files import files_below, printable
from .video import VIDEO_SUFFIXES

#: What makes the annotation of a video: path -> dict with ``keypoint`` (M, T, V, C),
#: ``layout`` (name or fields) and, where they are known, ``keypoint_score``,
#: ``img_shape`` and ``fps``.
PoseEstimator = Callable[[str], dict]

ENDINGS = ('.pkl', '.npy', '.csv', '.json', '.skeleton', *VIDEO_SUFFIXES)
#: Formats whose files need their converter's name. Others are known by their ending.
FORMATS = tuple(
    name
    for name, converter in CONVERTERS.items()
    if converter not in (FolderConverter, MMPoseConverter)
)
# The name of an NTU file tells subject and action, which nobody asks of it here.
_ANY_NTU_FILE = PurePosixPath('S001C001P001R001A001.skeleton')


class _OpenPoseClips(OpenPoseConverter):
    """Clips in any folders, whose labels nobody asks for."""

    classes = ('unlabelled',)

    def is_side_file(self, path: PurePosixPath) -> bool:
        return False

    def prepare(self, paths: Sequence[PurePosixPath]) -> None:
        pass

    def class_of(self, path: PurePosixPath) -> str:
        return self.classes[0]


@dataclass(frozen=True)
class Clip:
    """A clip or a recording as it was given.

    Attributes:
        name: ``frame_dir`` where an annotation has one, else the path of the file.
        annotation: Dict with ``keypoint`` (M, T, V, C), which can be memory-mapped,
            and ``total_frames``.
        layout: Layout of its joints, None where nothing tells it.
    """

    name: str
    annotation: dict
    layout: SkeletonLayout | None


class InputReader:
    """Finds and reads inputs.

    Args:
        model_layout: Layout that the pipeline of the model takes, if it is known.
        layout: Layout of the inputs: a name, a .json file as
            :func:`~fdmae_mm.datasets.layouts.read_layout` takes it, or the
            fields. None: what the inputs themselves say, else that of the model.
        format: One of ``FORMATS``: paths are archives, folders or files of this source
            format. None: files are known by their endings.
        split: Split of annotation files to take. None takes all clips.
        pose_estimator: What turns a video into an annotation.
        outputs: Files that are written to, which are no inputs: no search takes them.
        non_finite: What NaN and infinite numbers in a file of ``format`` are, as for
            :func:`~fdmae_mm.datasets.converters.convert`.
        strict: Whether a bad file of ``format`` is an error; otherwise it is left out.
        show_progress: Whether stderr shows how many files of ``format`` were read.

    Raises:
        ValueError: There is no such layout or format.
        OSError: The layout file cannot be read.
    """

    def __init__(
        self,
        model_layout: SkeletonLayout | None,
        layout: str | Mapping | SkeletonLayout | None = None,
        format: str | None = None,
        split: str | None = None,
        pose_estimator: PoseEstimator | None = None,
        outputs: Iterable[Path] = (),
        non_finite: str = 'error',
        strict: bool = False,
        show_progress: bool = True,
    ) -> None:
        if format is not None and format not in FORMATS:
            raise ValueError(
                f'format={format!r} must be one of {FORMATS}, or None for files that '
                f'are known by their endings: {", ".join(ENDINGS)}.'
            )
        self.layout = _to_layout(layout)
        # What a converter that asks for the layout is told.
        self._expected = self.layout or model_layout
        self.format = format
        self.split = split
        self.pose_estimator = pose_estimator
        self.non_finite = non_finite
        self.strict = strict
        self.show_progress = show_progress
        self._outputs = {path.resolve() for path in outputs}

    def find(self, inputs: object) -> list[tuple[str, object]]:
        """Lists inputs one by one: folders, globs and lists are resolved.

        Returns:
            (printable name, input) of each, files in the order of their names.

        Raises:
            FileNotFoundError: Nothing is at a path, or a folder without input.
            OSError: A folder cannot be read.
            ValueError: A path is that of an output.
        """
        found = self._find(inputs)
        return [
            (printable(item) if isinstance(item, Path) else f'input{i}', item)
            for i, item in enumerate(found)
        ]

    def _find(self, inputs: object) -> list:
        if isinstance(inputs, (list, tuple)):
            return [item for each in inputs for item in self._find(each)]
        if not isinstance(inputs, (str, os.PathLike)):
            return [inputs]
        path = Path(inputs)
        # The converter of a format searches a folder itself. A link that leads nowhere
        # is there too, and an error when it is read.
        if os.path.lexists(path) and (self.format or not path.is_dir()):
            if path.resolve() in self._outputs:
                raise ValueError(
                    f'{path} would be overwritten by the results: name another out_dir '
                    '(--out-dir).'
                )
            return [path]
        if path.is_dir():
            found = [
                file
                for file in files_below(path)
                # A dead link may have been one to a folder of them.
                if (file.suffix.lower() in ENDINGS or not file.exists())
                and file.name != 'labels.csv'
                and file.resolve() not in self._outputs
            ]
            if not found:
                raise FileNotFoundError(
                    f'{path} holds no file that ends in {", ".join(ENDINGS)}. For '
                    f'other sources name the format, one of {FORMATS}.'
                )
            return found
        found = [
            each
            for each in sorted(glob.glob(str(path), recursive=True))
            if Path(each).resolve() not in self._outputs
        ]
        if not found:
            raise FileNotFoundError(
                f'{path} is no file and no folder, and as a pattern it fits nothing.'
            )
        return [item for each in found for item in self._find(each)]

    def read(self, name: str, item: object) -> list[Clip | LeftOut]:
        """Reads what :meth:`find` has listed.

        Raises:
            TypeError: It is nothing that can be read.
            ValueError: It is not as it must be.
            OSError: It cannot be read.
        """
        if isinstance(item, np.ndarray):
            return [self._clip(name, dict(keypoint=item))]
        if isinstance(item, Mapping):
            if 'annotations' in item:
                return self._from_annotation_file(item)
            return [self._clip(str(item.get('frame_dir', name)), item)]
        if not isinstance(item, Path):
            raise TypeError(
                f'{name} is a {type(item).__name__}; expected an array (M, T, V, C) or '
                '(T, V, C), an annotation dict, or the path of a file, a folder or a '
                'pattern.'
            )
        if self.format:
            content, left_out = convert(
                self._converter(),
                item,
                strict=self.strict,
                non_finite=self.non_finite,
                show_progress=self.show_progress,
            )
            return [
                *self._from_annotation_file(content),
                *(LeftOut(file, reason) for file, reason in left_out),
            ]
        return self._from_file(name, item)

    def _converter(self) -> BaseConverter:
        """That of the format."""
        kind = CONVERTERS[self.format]
        if kind is not OpenPoseConverter:
            return kind()
        # What OpenPose writes is seldom in the layout of the model.
        return _OpenPoseClips(self.layout or kind.default_layout)

    def _from_file(self, name: str, path: Path) -> list[Clip | LeftOut]:
        if not path.exists():
            raise FileNotFoundError(f'{path} is a link that leads nowhere')
        ending = path.suffix.lower()
        if ending == '.pkl':
            return self._from_annotation_file(load_annotation(path))
        if ending == '.npy':
            try:
                # A long recording is read window by window.
                keypoint = np.load(path, mmap_mode='r', allow_pickle=False)
            except (*BAD_ARRAY, zipfile.BadZipFile) as error:
                raise ValueError(
                    'no array of numbers: the file is damaged, or holds Python '
                    'objects, which are not unpickled'
                ) from error
            return [self._clip(name, dict(keypoint=keypoint))]
        if ending in ('.csv', '.json'):
            kind = FolderConverter if ending == '.csv' else MMPoseConverter
            if self._expected is None:
                raise ValueError('the layout of its joints must be given')
            converter = kind(self._expected)
            with path.open('rb') as file:
                sample = converter.read_sample(PurePosixPath(path.name), file)
            return [self._clip(name, sample, converter.layout)]
        if ending == '.skeleton':
            converter, ntu_name = NTU120Converter(), PurePosixPath(path.name)
            if not converter.accepts(ntu_name):
                ntu_name = _ANY_NTU_FILE
            with path.open('rb') as file:
                (sample,) = converter.parse(ntu_name, file)
            if isinstance(sample, LeftOut):
                return [LeftOut(name, sample.reason)]
            return [self._clip(name, sample, converter.layout)]
        if ending in VIDEO_SUFFIXES:
            if self.pose_estimator is None:
                raise ValueError(
                    'a video needs a pose estimator: '
                    'SkeletonInferencer(..., pose_estimator=VideoPoseEstimator(...)). '
                    'Or make an annotation file of it: '
                    'fdmae video (tools/data/video_to_skeleton.py)'
                )
            return [self._clip(name, self.pose_estimator(str(path)))]
        raise ValueError(
            f'unknown ending; known are {", ".join(ENDINGS)}. For other sources name '
            f'the format, one of {FORMATS}.'
        )

    def _from_annotation_file(self, content: Mapping) -> list[Clip]:
        """The clips of the split, in the order of the file."""
        clips = content['annotations']
        names = [str(clip_name(clip)) for clip in clips]
        chosen = set(names)
        if self.split is not None:
            if self.split not in content['split']:
                raise ValueError(
                    f'there is no split {self.split!r}, only {sorted(content["split"])}'
                )
            chosen = set(map(str, content['split'][self.split]))
        # Once for the file: fields of a layout take longer than a clip.
        layout = self.layout or _to_layout(content.get('metainfo', {}).get('layout'))
        return [
            self._clip(name, annotation, layout)
            for name, annotation in zip(names, clips, strict=True)
            if name in chosen
        ]

    def _clip(
        self,
        name: str,
        annotation: Mapping,
        layout: str | Mapping | SkeletonLayout | None = None,
    ) -> Clip:
        if 'keypoint' not in annotation:
            raise ValueError(
                f"{name}: an annotation must have the key 'keypoint', this one has "
                f'{sorted(map(str, annotation))}'
            )
        keypoint = annotation['keypoint']
        numbers = isinstance(keypoint, np.ndarray) and keypoint.dtype.kind in 'iuf'
        shape = np.shape(keypoint)
        if not numbers or len(shape) not in (3, 4) or 0 in shape:
            raise ValueError(
                f'{name}: the joints are a {type(keypoint).__name__} of the shape '
                f'{shape}, expected an array of numbers (persons, frames, joints, '
                'coordinates), none of them 0, or (frames, joints, coordinates) of one '
                'person'
            )
        given = {'keypoint': keypoint}
        annotation = {key: v for key, v in annotation.items() if v is not None}
        if 'keypoint_score' in annotation:
            given['keypoint_score'] = score = np.asarray(annotation['keypoint_score'])
            if score.shape != shape[:-1]:
                raise ValueError(
                    f'{name}: keypoint_score has the shape {score.shape}, expected '
                    f'{shape[:-1]}, one of each joint'
                )
        if len(shape) == 3:
            given = {key: array[None] for key, array in given.items()}
        keypoint = given['keypoint']
        try:
            # A part tells it; a recording may be larger than memory.
            check_scores(keypoint[:, :1000])
            if 'total_frames' not in annotation:
                check_order(keypoint)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from error
        if 'total_frames' in annotation:
            check_frames(annotation['total_frames'], keypoint, name)
        annotation = {
            'frame_dir': name,
            'total_frames': keypoint.shape[1],
            **annotation,
            **given,
        }
        layout = self.layout or _to_layout(annotation.get('layout', layout))
        return Clip(name, annotation, layout)


def _to_layout(
    layout: str | Mapping | SkeletonLayout | None,
) -> SkeletonLayout | None:
    return None if layout is None else read_layout(layout)
