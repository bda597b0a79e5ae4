"""Inference with a trained model: clips, long recordings, frames as they come."""

from __future__ import annotations

import contextlib
import csv
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import mmengine
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import print_log
from rich.console import Console
from rich.progress import Progress

from ..datasets.converters import LeftOut
from ..datasets.keypoints import (
    BY_PERSON,
    body_size,
    check_non_finite,
    measured,
    present_first,
    present_persons,
)
from ..datasets.layouts import LAYOUTS, SkeletonLayout, points_down
from ..datasets.transforms import MapSkeleton
from ..files import check_writable, printable, written_whole
from ..models.heads.classification import pool
from ..version import __version__
from .inputs import Clip, InputReader, PoseEstimator
from .journal import Journal
from .loading import load_model
from .recording import (
    FrameStream,
    Timeline,
    check_window,
    window_starts,
    windows,
)

# Metres of a body, from one that is hardly seen to what none has.
_BODY_SIZES = 0.1, 10
# Of the files in an out_dir.
_JSON, _CSV, _FEATURES = 'predictions.json', 'predictions.csv', 'features.npy'
_JOURNAL = 'predictions.part.jsonl'  # until they are written
# What the reading of one input raises; a pose estimator RuntimeError, where a video is
# too large for the GPU.
_BAD_INPUT = OSError, RuntimeError, ValueError
_SEGMENT_ROW = ('name', 'start', 'end', 'start_s', 'end_s', 'label', 'class', 'score')


class _Output(NamedTuple):
    """What the model says of one view."""

    scores: np.ndarray | None  # (classes,)
    features: np.ndarray  # (D,)


class SkeletonInferencer:
    """Classes and features of skeletons, from a trained model.

    The call, ``forward`` and the dict of results are those of MMEngine's
    ``BaseInferencer``, which is no base class here, because its workflow is one input,
    one forward pass, one prediction. Here an annotation file has many clips, a clip
    gives a view for each person beside its own, a recording hundreds of windows, and
    a bad file is listed. And a model that lacks weights is an error, not a warning.

    Preprocessing and forward pass are those of ``tools/test.py``.

    Args:
        model: Config, its path, or the bare name of a config of this package.
        weights: Checkpoint. One of pre-training has features alone, but for the configs
            of configs/benchmarks/knn, which find the nearest training clip.
        device: Where the model runs; by default a GPU if there is one.
        pose_estimator: What turns the path of a video into an annotation: a dict with
            ``keypoint`` (M, T, V, C) and ``layout``, and, where they are known,
            ``keypoint_score``, ``img_shape`` and ``fps``.
        cfg_options: Settings of the config to override.
        non_finite: What NaN and infinite numbers in the inputs are. ``'error'``: an
            input that has one is not used; ``'zero'``: joints that were not measured.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: They do not fit each other.

    Attributes:
        classes (tuple[str, ...] | None): Names of the classes, where they are known.
        layout (SkeletonLayout | None): Layout of the joints that the model takes.
    """

    def __init__(
        self,
        model: str | os.PathLike | Config,
        weights: str | os.PathLike,
        device: str | torch.device | None = None,
        pose_estimator: PoseEstimator | None = None,
        cfg_options: dict | None = None,
        non_finite: str = 'error',
    ) -> None:
        check_non_finite(non_finite)
        loaded = load_model(model, weights, device, cfg_options)
        self.model, self.pipeline = loaded.model, loaded.pipeline
        self._cfg = loaded.cfg
        self.classes, self.layout = loaded.classes, loaded.source_layout
        self.pose_estimator = pose_estimator
        self.non_finite = non_finite
        self._mappings: dict[tuple[str, ...], MapSkeleton] = {}

    def __call__(
        self,
        inputs: object,
        batch_size: int = 32,
        out_dir: str | os.PathLike | None = None,
        show_progress: bool = True,
        top_k: int = 5,
        features: bool = False,
        layout: str | Mapping | SkeletonLayout | None = None,
        format: str | None = None,
        split: str | None = None,
        strict: bool = False,
    ) -> dict[str, list[dict]]:
        """Classifies clips, and each person in them.

        Args:
            inputs: An array (M, T, V, C) or (T, V, C); an annotation dict; the path of
                an annotation file (.pkl), an array (.npy, .csv), a file of NTU RGB+D
                (.skeleton), poses of mmpose (.json) or a video; a folder, which is
                searched with its subfolders; a glob pattern; or a list of these.
            batch_size: Clips a forward pass.
            out_dir: Where ``predictions.json`` and ``predictions.csv``, and with
                ``features`` also ``features.npy``, a row a clip, are written. Until
                all is done ``predictions.part.jsonl`` holds what is, and the same call
                goes on where one was interrupted.
            show_progress: Whether stderr shows a progress bar.
            top_k: Classes a clip.
            features: Whether to return features too. A pre-training model has nothing
                else.
            layout: Layout of the inputs, where it is not that of the model and they do
                not name it themselves: a name, a .json file or the fields. They are
                mapped by the meaning of the joints.
            format: The paths are archives, folders or files of this source format of
                ``tools/data/convert.py``.
            split: Split of annotation files to take. None takes all clips.
            strict: Raise at the first input that cannot be used, and do not list it.

        Returns:
            ``predictions``, a dict for each clip in the order of the inputs:

            - ``name``, ``frames`` (T);
            - ``top``: the best classes, dicts of ``label``, ``class`` (its name or
              None) and ``score``, which is what ``tools/test.py --dump`` writes;
            - ``persons``: for each person of the clip ``person`` (its row) and ``top``,
              as if it were alone in the clip;
            - ``features``: with ``features``, the mean over persons, time and joints,
              D numbers.

            ``skipped``, dicts of ``name`` and ``reason``: what was left out.

        Raises:
            FileNotFoundError: A path leads nowhere.
            ValueError: No input can be used, or one with ``strict``; a number is not
                above 0; or a pre-training model is asked for predictions.
        """
        if not features:
            self._check_classifier()
        _check_positive(batch_size=batch_size, top_k=top_k)
        return self._run(
            self._reader(layout, format, split, out_dir, strict, show_progress),
            inputs,
            lambda clip: _ClipJob(self, clip, top_k, features),
            batch_size,
            out_dir,
            dict(top_k=top_k, features=features),
        )

    def segment(
        self,
        inputs: object,
        window: int | None = None,
        stride: int | None = None,
        fps: float | None = None,
        min_length: int = 0,
        batch_size: int = 32,
        out_dir: str | os.PathLike | None = None,
        show_progress: bool = True,
        top_k: int = 1,
        layout: str | Mapping | SkeletonLayout | None = None,
        format: str | None = None,
        split: str | None = None,
        strict: bool = False,
    ) -> dict[str, list[dict]]:
        """Finds who does what when in long recordings.

        A window slides over the recording; each is classified as a clip. The scores
        of the windows over a frame are averaged, and stretches of one best class become
        segments; see :class:`~fdmae_mm.apis.recording.Timeline`. Memory holds one batch
        of windows and one row of scores a stride, whatever the length, if the recording
        is a .npy file or an array from ``np.load(path, mmap_mode='r')``.

        Args:
            inputs: As for a call; each clip is a recording.
            window: Frames of a window; by default the clip length of the pipeline, so
                that time is neither stretched nor compressed. Choose about the length
                of the clips that the model was trained with.
            stride: Frames between windows; by default half a window.
            fps: Frames a second, which adds times; by default ``fps`` of the
                annotation.
            min_length: Frames of the shortest segment.
            batch_size: Windows a forward pass.
            out_dir: Where ``predictions.json`` (all that is returned) and
                ``predictions.csv`` (the segments; without fps, times are empty) are
                written. A call that was interrupted goes on after the last whole
                recording.
            show_progress: Whether stderr shows a progress bar.
            top_k: Classes of each row of ``steps``.
            layout: As for a call.
            format: As for a call.
            split: As for a call.
            strict: As for a call.

        Returns:
            ``predictions``, a dict for each recording: ``name``, ``frames``,
            ``window``, ``stride``; ``segments``, dicts of ``start``, ``end`` (frames,
            the end not included), with fps ``start_s``, ``end_s`` (seconds), ``label``,
            ``class`` and ``score`` (its mean); ``steps``, dicts of ``start``, ``end``
            and ``top``, which is empty where nobody is there.

            ``skipped``: as for a call.

        Raises:
            FileNotFoundError: A path leads nowhere.
            ValueError: As for a call, or the stride is longer than the window.
        """
        self._check_classifier()
        _check_positive(batch_size=batch_size, top_k=top_k, fps=fps)
        window, stride = self._window(window, stride)
        return self._run(
            self._reader(layout, format, split, out_dir, strict, show_progress),
            inputs,
            lambda clip: _RecordingJob(
                self, clip, window, stride, fps, min_length, top_k
            ),
            batch_size,
            out_dir,
            dict(
                window=window,
                stride=stride,
                fps=fps,
                min_length=min_length,
                top_k=top_k,
            ),
        )

    def stream(
        self,
        window: int | None = None,
        stride: int | None = None,
        layout: str | Mapping | SkeletonLayout | None = None,
        top_k: int = 5,
    ) -> FrameStream:
        """Gives an object that takes frames one by one, and predicts as they come.

        Args:
            window: Frames of a window, by default as for :meth:`segment`.
            stride: Frames from one prediction to the next, by default half a window.
            layout: Layout of the frames, where it is not that of the model.
            top_k: Classes of a prediction.
        """
        self._check_classifier()
        _check_positive(top_k=top_k)
        window, stride = self._window(window, stride)
        reader = self._reader(layout, None, None, None)

        def clip_of(frames: dict) -> tuple[Clip, MapSkeleton | None]:
            total = frames['keypoint'].shape[1]
            (clip,) = reader.read('stream', dict(frames, total_frames=total))
            return clip, self.mapping(clip)

        def check(frames: dict) -> None:
            clip, mapping = clip_of(frames)
            # Some pipelines take no clip without anyone.
            if frames['keypoint'].any():
                self.preprocess(clip.annotation, mapping)

        looked = False

        def predict(frames: dict) -> list[dict]:
            nonlocal looked
            clip, mapping = clip_of(frames)
            for _, view in windows(clip.annotation, window, stride):
                if not looked:
                    looked, doubts = True, _Doubts()
                    doubts.look(clip, clip.layout or self.layout)
                    doubts.tell(total=1)
                (output,) = self.forward([self.preprocess(view, mapping)])
                return self.top(output.scores, top_k)
            return []

        return FrameStream(predict, window, stride, self.non_finite, check)

    def preprocess(self, annotation: dict, mapping: MapSkeleton | None) -> dict:
        """Test view of one clip.

        It is that of a test, but for a clip whose first persons are absent: those who
        are there come first, because a model takes only so many.

        Args:
            annotation: Dict with ``keypoint`` (M, T, V, C).
            mapping: To the layout of the model, where it is another one.

        Returns:
            ``inputs`` (K, M, T, V, C) and ``data_samples``.

        Raises:
            ValueError: The joints are not what the model takes.
        """
        # It copies, as a dataset does: stock transforms write into their input.
        results = dict(present_first(annotation), start_index=0, modality='Pose')
        packed = self.pipeline(results if mapping is None else mapping(results))
        channels = packed['inputs'].shape[-1]
        expected = getattr(self.model.backbone, 'in_channels', channels)
        if channels != expected:
            raise ValueError(
                f'{channels} values a joint, but the model takes {expected}: '
                'coordinates, and the score where it was trained with one, which is '
                'keypoint_score of an annotation and score of push'
            )
        if not packed['inputs'].isfinite().all():
            raise ValueError('coordinates are NaN or infinite')
        return packed

    @torch.no_grad()
    def forward(self, batch: Sequence[dict]) -> list[_Output]:
        """Scores and features of views that :meth:`preprocess` has made."""
        data = self.model.data_preprocessor(pseudo_collate(batch), False)
        feats, kwargs = self.model.extract_feat(data['inputs'], test_mode=True)
        features = pool(feats).float().unflatten(0, (len(batch), -1)).mean(1)  # (B, D)
        scores = [None] * len(batch)
        if self.model.with_cls_head:
            samples = self.model.cls_head.predict(feats, data['data_samples'], **kwargs)
            scores = [sample.pred_score.cpu().numpy() for sample in samples]
        return list(map(_Output, scores, features.cpu().numpy()))

    def mapping(self, clip: Clip) -> MapSkeleton | None:
        """From the layout of a clip to that of the model; None if it is the same.

        Raises:
            ValueError: The clip has another number of joints than its layout or the
                model, or a joint has no counterpart.
        """
        found = clip.annotation['keypoint'].shape[2]
        layout = clip.layout or self.layout
        if layout is None:
            return None
        if found != layout.num_joints:
            fit = sorted(n for n, known in LAYOUTS.items() if known.num_joints == found)
            whose = 'its layout' if clip.layout else 'the layout of the model'
            raise ValueError(
                f'{found} joints, but {whose}, {layout.name!r}, has '
                f'{layout.num_joints}. Known layouts of {found} joints: '
                f'{", ".join(fit) or "none"}; name the layout of the input (layout, '
                '--layout), or describe it in a .json file with "joints" and "edges".'
            )
        if self.layout is None or layout.joints == self.layout.joints:
            return None
        if layout.joints not in self._mappings:
            self._mappings[layout.joints] = MapSkeleton(layout, self.layout)
        return self._mappings[layout.joints]

    def top(self, scores: np.ndarray, k: int) -> list[dict]:
        """The best classes: (classes,) -> dicts of label, class and score."""
        order = np.argsort(-scores, kind='stable')[:k]
        return [
            {'label': int(i), 'class': self.name_of(i), 'score': float(scores[i])}
            for i in order
        ]

    def name_of(self, label: int) -> str | None:
        """Name of a class, where it is known."""
        # A head may have more classes than the checkpoint has names.
        named = self.classes is not None and label < len(self.classes)
        return self.classes[label] if named else None

    def _check_classifier(self) -> None:
        if not self.model.with_cls_head:
            raise ValueError(
                f'{type(self.model).__name__} is a pre-training model, which knows no '
                'classes. It gives features (features=True, --features). For '
                'predictions take its checkpoint with a config of '
                'configs/benchmarks/knn, or fine-tune it first.'
            )

    def _window(self, window: int | None, stride: int | None) -> tuple[int, int]:
        if window is None:
            lengths = (getattr(t, 'clip_len', None) for t in self.pipeline.transforms)
            window = next((length for length in lengths if length), None)
            if window is None:
                raise ValueError('The pipeline tells no clip length: give window.')
        stride = max(window // 2, 1) if stride is None else stride
        check_window(window, stride)
        return window, stride

    def _reader(
        self,
        layout: str | Mapping | SkeletonLayout | None,
        format: str | None,
        split: str | None,
        out_dir: str | os.PathLike | None,
        strict: bool = False,
        show_progress: bool = False,
    ) -> InputReader:
        outputs = ()
        if out_dir is not None:
            if Path(out_dir).exists() and not Path(out_dir).is_dir():
                raise ValueError(f'out_dir={out_dir} is a file: name a folder.')
            outputs = [Path(out_dir, name) for name in (_JSON, _CSV, _FEATURES)]
            check_writable(outputs[0])
        return InputReader(
            self.layout,
            layout,
            format,
            split,
            self.pose_estimator,
            outputs,
            self.non_finite,
            strict,
            show_progress,
        )

    def _run(
        self,
        reader: InputReader,
        inputs: object,
        make_job: Callable[[Clip], _ClipJob | _RecordingJob],
        batch_size: int,
        out_dir: str | os.PathLike | None,
        options: dict,
    ) -> dict[str, list[dict]]:
        """Infers, and writes the results where they are asked for."""
        if out_dir is None:
            return self._infer(reader, inputs, make_job, batch_size)
        journal = Journal(Path(out_dir, _JOURNAL), [self._settings(), options])
        result = self._infer(reader, inputs, make_job, batch_size, journal)
        _write(result, Path(out_dir))
        journal.remove()
        return result

    def _settings(self) -> list:
        """What a result depends on beside its clip."""
        weights = [*self.model.named_parameters(), *self.model.named_buffers()]
        return [
            __version__,
            str(self._cfg.model),
            str(self._cfg.eval_dataloader.dataset.pipeline),
            self.classes,
            self.non_finite,
            {name: value.detach().cpu().numpy() for name, value in weights},
        ]

    def _infer(
        self,
        reader: InputReader,
        inputs: object,
        make_job: Callable[[Clip], _ClipJob | _RecordingJob],
        batch_size: int,
        journal: Journal | None = None,
    ) -> dict[str, list[dict]]:
        """Reads, batches and predicts; at any time one batch of views is in memory."""
        found = reader.find(inputs)
        predictions, skipped, doubts = [], [], _Doubts()
        # Of clips whose views are all under way: what gives the result, and the key.
        due: list[tuple[Callable[[], dict], str | None]] = []

        def settle() -> None:
            new = {}
            for result_of, key in due:
                predictions.append(result_of())
                if key is not None:
                    new[key] = predictions[-1]
            due.clear()
            if new:
                journal.add(new)

        def skip(name: str, error: Exception) -> None:
            if reader.strict:
                raise ValueError(f'{name}: {error}') from error
            # An error may name the file as it is.
            skipped.append(dict(name=name, reason=printable(str(error))))

        console = Console(stderr=True)
        with Progress(console=console, disable=not reader.show_progress) as bar:
            task = bar.add_task('Inference', total=len(found))

            def announce(more: int) -> None:
                bar.update(task, total=bar.tasks[0].total + more)

            def clips() -> Iterator[Clip]:
                for name, item in found:
                    try:
                        read = reader.read(name, item)
                    except _BAD_INPUT as error:
                        skip(name, error)
                        read = []
                    announce(len(read) - 1)
                    for clip in read:
                        if isinstance(clip, LeftOut):
                            skipped.append(dict(name=clip.name, reason=clip.reason))
                            announce(-1)
                        else:
                            yield clip

            def views() -> Iterator[tuple]:
                for clip in clips():
                    digest = known = None
                    if journal is not None:
                        digest = journal.key(vars(clip))
                        known = journal.get(digest)
                    if known is not None:
                        due.append((known.copy, None))
                        doubts.look(clip, clip.layout or self.layout)
                        bar.advance(task)
                        continue
                    try:
                        job = make_job(clip)
                        announce(job.num_views - 1)
                        for key, view in job.views(clip.annotation):
                            yield job, key, view
                    except _BAD_INPUT as error:
                        skip(clip.name, error)
                    else:
                        due.append((job.result, digest))
                        doubts.look(clip, clip.layout or self.layout)

            queue = views()
            while batch := list(islice(queue, batch_size)):
                outputs = self.forward([view for _, _, view in batch])
                for (job, key, _), output in zip(batch, outputs, strict=True):
                    job.add(key, output)
                bar.advance(task, len(batch))
                settle()
            settle()
        if not predictions:
            first = [f'. The first, {s["name"]}: {s["reason"]}' for s in skipped[:1]]
            raise ValueError(
                f'None of {len(found)} inputs could be used{"".join(first)}'
            )
        doubts.tell(len(predictions))
        return dict(predictions=predictions, skipped=skipped)


def _check_positive(**numbers: float | None) -> None:
    for name, number in numbers.items():
        if number is not None and not number > 0:  # nor NaN
            raise ValueError(f'{name}={number} must be above 0.')


class _Doubts:
    """Inputs whose coordinates are probably not those of the training."""

    def __init__(self) -> None:
        self._down: list[str] = []
        self._sizes: list[tuple[str, np.ndarray]] = []

    def look(self, clip: Clip, layout: SkeletonLayout | None) -> None:
        # A part tells it; a recording may be larger than memory.
        part = clip.annotation['keypoint'][:, :1000]
        if layout is not None and points_down(part, layout):
            self._down.append(clip.name)
        size = body_size(part)
        low, high = _BODY_SIZES
        # Of nobody it is 0, of coordinates that are no numbers NaN: nothing to tell.
        if len(size) == 3 and (0 < size.max() < low or size.max() > high):
            self._sizes.append((clip.name, size))

    def tell(self, total: int) -> None:
        """Warns of what most of the inputs have."""
        if 2 * len(self._down) > total:
            self._warn(
                f'y points down in {len(self._down)} of {total} inputs, the first is '
                f'{self._down[0]}: the models of this project are trained with y up, '
                'so negate y and z, if this one is not of data like these'
            )
        if 2 * len(self._sizes) > total:
            name, size = self._sizes[0]
            self._warn(
                f'bodies are of no human size in metres in {len(self._sizes)} of '
                f'{total} inputs, the first is {name}, a box of '
                f'{" x ".join(f"{side:.4g}" for side in size)}: the models of this '
                'project are trained in metres, so divide millimetres by 1000, and '
                'take a model of 2-D joints for pixels, if this one is not of data '
                'like these'
            )

    @staticmethod
    def _warn(text: str) -> None:
        print_log(text, logger='current', level=logging.WARNING)


class _ClipJob:
    """A clip: its own view, and one of each person in it.

    It keeps no clip, of which a folder may have more than memory holds.
    """

    def __init__(
        self, inferencer: SkeletonInferencer, clip: Clip, top_k: int, features: bool
    ) -> None:
        self._inferencer, self._top_k, self._features = inferencer, top_k, features
        self._name, self._frames = clip.name, int(clip.annotation['total_frames'])
        self._mapping = inferencer.mapping(clip)
        annotation = measured(clip.annotation, inferencer.non_finite)
        persons = np.flatnonzero(present_persons(annotation)).tolist()
        if not persons:
            raise ValueError('nobody is in it: all joints are zeros')
        self._persons = persons if inferencer.model.with_cls_head else []
        # One person alone is what the whole clip is already.
        self._alone = self._persons if len(persons) > 1 else []
        self._outputs: dict[int | None, _Output] = {}
        self.num_views = 1 + len(self._alone)

    def views(self, annotation: dict) -> Iterator[tuple[int | None, dict]]:
        """Key (None is the clip, else the person) and test view of each."""
        preprocess = self._inferencer.preprocess
        annotation = measured(annotation, self._inferencer.non_finite)
        yield None, preprocess(annotation, self._mapping)
        for person in self._alone:
            rows = {
                key: annotation[key][person : person + 1]
                for key in BY_PERSON & annotation.keys()
            }
            yield person, preprocess(annotation | rows, self._mapping)

    def add(self, key: int | None, output: _Output) -> None:
        self._outputs[key] = output

    def result(self) -> dict:
        def top(output: _Output) -> list[dict]:
            return self._inferencer.top(output.scores, self._top_k)

        whole = self._outputs[None]
        result = dict(name=self._name, frames=self._frames)
        if whole.scores is not None:
            result['top'] = top(whole)
            result['persons'] = [
                dict(person=person, top=top(self._outputs.get(person, whole)))
                for person in self._persons
            ]
        if self._features:
            result['features'] = whole.features.tolist()
        return result


class _RecordingJob:
    """A recording: a view of each window, whose scores go into a timeline."""

    def __init__(
        self,
        inferencer: SkeletonInferencer,
        clip: Clip,
        window: int,
        stride: int,
        fps: float | None,
        min_length: int,
        top_k: int,
    ) -> None:
        self._inferencer, self._top_k = inferencer, top_k
        self._name, self._frames = clip.name, int(clip.annotation['total_frames'])
        self._window, self._stride = window, stride
        self._fps = fps or clip.annotation.get('fps')
        if self._fps and not (isinstance(self._fps, Real) and 0 < self._fps < math.inf):
            raise ValueError(
                f'{clip.name}: fps={self._fps!r} of the annotation must be a number '
                'above 0, or 0 where it is not known'
            )
        self._min_length = min_length
        self._mapping = inferencer.mapping(clip)
        self._timeline = Timeline(self._frames, window, stride)
        self.num_views = len(window_starts(self._frames, window, stride))

    def views(self, annotation: dict) -> Iterator[tuple[tuple[int, np.ndarray], dict]]:
        """Key (first frame, frames with somebody) and test view of each window."""
        inferencer = self._inferencer
        for start, view in windows(
            annotation, self._window, self._stride, inferencer.non_finite
        ):
            occupied = view['keypoint'].any((0, 2, 3))
            yield (start, occupied), inferencer.preprocess(view, self._mapping)

    def add(self, key: tuple[int, np.ndarray], output: _Output) -> None:
        start, occupied = key
        self._timeline.add(start, output.scores, occupied)

    def result(self) -> dict:
        segments = []
        for start, end, label, score in self._timeline.segments(self._min_length):
            times = {}
            if self._fps:
                times = dict(start_s=start / self._fps, end_s=end / self._fps)
            name = self._inferencer.name_of(label)
            segments.append(
                {'start': start, 'end': end, **times}
                | {'label': label, 'class': name, 'score': score}
            )
        steps = [
            dict(
                start=start,
                end=end,
                top=[] if scores is None else self._inferencer.top(scores, self._top_k),
            )
            for start, end, scores in self._timeline.steps()
        ]
        return dict(
            name=self._name,
            frames=self._frames,
            window=self._window,
            stride=self._stride,
            segments=segments,
            steps=steps,
        )


def _write(result: dict[str, list[dict]], out_dir: Path) -> None:
    """Writes the files of ``out_dir``; features go into a file of their own.

    None takes its place before all are whole, so that they are of the same inputs.
    """
    stale = {_FEATURES, _CSV}  # those of other inputs
    predictions = result['predictions']
    features = [p['features'] for p in predictions if 'features' in p]
    rows = [row for prediction in predictions for row in _rows(prediction)]
    columns = tuple(rows[0]) if rows else ()
    if 'segments' in predictions[0]:  # also where none is long enough
        columns = _SEGMENT_ROW
    plain = [{k: v for k, v in p.items() if k != 'features'} for p in predictions]
    with contextlib.ExitStack() as stack:

        def part_of(name: str) -> Path:
            return stack.enter_context(written_whole(out_dir / name))

        if features:
            stale.remove(_FEATURES)
            with part_of(_FEATURES).open('wb') as file:
                np.save(file, np.array(features, dtype=np.float32))
        if columns:
            stale.remove(_CSV)
            with part_of(_CSV).open('w', newline='', encoding='utf-8') as file:
                table = csv.DictWriter(file, columns)
                table.writeheader()
                table.writerows(rows)
        mmengine.dump(
            dict(result, predictions=plain), part_of(_JSON), file_format='json'
        )
    for name in stale:
        (out_dir / name).unlink(missing_ok=True)


def _rows(prediction: dict) -> list[dict]:
    """Lines of the table: segments, or the best classes of clip and persons."""
    name = dict(name=prediction['name'])
    if 'segments' in prediction:
        return [name | segment for segment in prediction['segments']]
    if 'top' not in prediction:
        return []
    whose = [dict(person='', top=prediction['top']), *prediction['persons']]
    return [
        name | dict(person=each['person'], rank=rank) | entry
        for each in whose
        for rank, entry in enumerate(each['top'], 1)
    ]
