"""A page that plays clips, what a model saw of them, and how it completed them."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import DATASETS
from mmengine.dataset import BaseDataset, Compose, pseudo_collate

from ..apis.loading import LoadedModel, load_model
from ..datasets.annotation import clip_name, load_annotation
from ..datasets.keypoints import measured_joints, present_persons, seen_joints
from ..datasets.layouts import SkeletonLayout, get_layout, read_layout
from ..datasets.skeleton_dataset import SkeletonDataset, parts_of
from ..datasets.transforms import SkeletonStream
from ..files import written_whole
from ..models import SkeletonMAE
from ..models.layers import frame_mask
from .animation import save_animation
from .clips import masked_view
from .joints import time_head
from .reconstruction import draw_reconstruction
from .style import FORMATS

Given = str | os.PathLike | None

BATCH_SIZE = 32
TOP_K = 5


@dataclass(frozen=True)
class ViewedClip:
    """A clip, and what models make of it.

    Args:
        name: Its ``frame_dir``.
        label: Its class.
        original: Coordinates, (M, T, V, C), C = 2 or 3. Zeros were not measured.
        mask: Which joints the encoder did not see, bool (M, T, V).
        reconstructed: The completion, as ``original``.
        scores: A classifier's score of each class, (num_classes,).
    """

    name: str
    label: int
    original: np.ndarray
    mask: np.ndarray | None = None
    reconstructed: np.ndarray | None = None
    scores: np.ndarray | None = None


def view(
    out: str | os.PathLike,
    config: Given = None,
    weights: Given = None,
    classifier: tuple[Given, Given] | None = None,
    ann_file: Given = None,
    splits: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    num_clips: int = 100,
    layout: str | Mapping | SkeletonLayout | None = None,
    head: str = 'time',
) -> None:
    """Writes a page that plays clips, or a picture or animation of one.

    With a pre-training model the clips are shown as the model takes them, with a mask
    from the masking of its training pipeline, and completed. A normalised target takes
    the mean and scale of each cell from the original. With a classifier alone, and
    without a model, they are shown as the annotation file has them.

    Args:
        out: Where it goes. ``.html`` is a page of its own that needs no network;
            ``.gif``, ``.png``, ``.pdf`` and ``.svg`` show the first person of the
            first clip, and need a pre-training model.
        config: Config, or bare name of one, of a pre-training model or a classifier.
            None shows data alone.
        weights: Its checkpoint.
        classifier: Config and weights of a model whose scores are shown besides.
        ann_file: Annotation file; that of the config's ``eval_dataloader`` by default.
        splits: Splits to take clips from. By default that of the ``eval_dataloader``
            where there is one, otherwise all clips.
        names: ``frame_dir`` of the clips to show.
        num_clips: How many clips to show where ``names`` does not say which: the same
            number of each split and class, as far as there are as many.
        layout: Layout of the joints, as :func:`read_layout` takes it, where neither
            the pipeline nor the annotation file names it.
        head: The head whose prediction is shown.

    Raises:
        ImportError: A page is wanted, and plotly is not installed.
        KeyError: The model has no such head, or the file names an unknown layout.
        ValueError: ``out`` has another suffix, a clip or split is not there, the
            given layout is unknown, or the model's input are not joints.
    """
    out = Path(out)
    if out.suffix not in ('.html', '.gif', *FORMATS):
        raise ValueError(
            f'{out} must end in .html, .gif or one of {", ".join(FORMATS)}.'
        )
    if out.suffix == '.html':
        _plotly()  # missing, it shall be missing before the work
    pretrained, judge = _models(config, weights, classifier)
    if out.suffix != '.html' and pretrained is None:
        raise ValueError(
            f'{out} shows a reconstruction: it needs config and weights of a '
            'pre-training model. A page (.html) does without.'
        )
    source = pretrained or judge
    dataset = _dataset(source, ann_file)
    in_split = load_annotation(dataset.ann_file)['split']
    if splits is None and source and not names:
        split = parts_of(source.cfg.eval_dataloader.dataset)[0].get('split')
        splits = [split] if split in in_split else None
    if out.suffix != '.html':
        num_clips = 1
    samples = _select(dataset, in_split, splits, names, num_clips)
    layout = _layout(layout, pretrained, judge, dataset)
    if pretrained:
        clips = list(reconstruct_clips(pretrained, samples, head))
    else:
        clips = [
            ViewedClip(
                clip_name(sample),
                int(sample['label']),
                sample['keypoint'][present_persons(sample)],
            )
            for sample in samples
        ]
    if judge:
        scores = score_clips(judge, samples)
        clips = [replace(c, scores=s) for c, s in zip(clips, scores, strict=True)]
    known = (judge and judge.classes) or dataset.metainfo.get('classes')
    classes = _class_names(clips, known)
    if out.suffix != '.html':
        _write_picture(clips[0], layout, classes, out)
        return
    title = Path(dataset.ann_file).stem
    if source:
        title += f', {Path(source.cfg.filename).stem}'
    note = _note(pretrained, head) if pretrained else ''
    bands = _band_edges(pretrained)
    shown = {split: in_split[split] for split in splits or in_split}
    write_page(payload(clips, layout, classes, shown, bands, title, note), out)


# ---- what models make of clips


@torch.no_grad()
def reconstruct_clips(
    loaded: LoadedModel, samples: Sequence[dict], head: str = 'time'
) -> Iterator[ViewedClip]:
    """Clips as a pre-training model takes them, masked and completed by it.

    The mask of a clip is a function of its name, whatever is shown beside it. Of
    several crops the first is taken. A normalised target takes the mean and scale of
    each cell from the original; see :meth:`SkeletonMAE.reconstruct`.

    Args:
        loaded: A pre-training model.
        samples: Annotations of the clips.
        head: The head whose prediction is taken.

    Yields:
        The clip of each sample, its persons those who are there.

    Raises:
        KeyError: The model has no head of this name that predicts coordinates.
        ValueError: The pipeline makes another stream than joints, or that of training
            has no masking.
    """
    model = loaded.model
    time_head(model, head)  # is there, or an error
    for transform in loaded.pipeline.transforms:
        if isinstance(transform, SkeletonStream) and transform.stream != 'joint':
            raise ValueError(
                f'{loaded.cfg.filename} works on the stream {transform.stream!r}, '
                'which is no skeleton to draw. View a model of the joint stream.'
            )
    pipeline = Compose(masked_view(loaded.cfg))
    for batch in _batches(samples):
        packed = []
        for sample in batch:
            state = np.random.get_state()  # the caller's
            np.random.seed(zlib.crc32(clip_name(sample).encode()))
            packed.append(pipeline(deepcopy(sample)))
            np.random.set_state(state)
        data = model.data_preprocessor(pseudo_collate(packed), training=False)
        inputs, data_samples = data['inputs'], data['data_samples']
        completed = model.reconstruct(inputs, data_samples, head)
        for i, sample in enumerate(batch):
            # The score that FormatGCNInput appends to 2-D joints is not drawn.
            dims = min(sample['keypoint'].shape[-1], 3)
            original = inputs[i, 0, ..., :dims].cpu().numpy()  # (M, T, V, C)
            mask = frame_mask(
                data_samples[i].mask[0], original.shape[2], model.backbone.t_patch_size
            )
            here = original.any(axis=(1, 2, 3))
            yield ViewedClip(
                clip_name(sample),
                int(sample['label']),
                original[here],
                mask.cpu().numpy()[here],
                completed[i, 0, ..., :dims].cpu().numpy()[here],
            )


@torch.no_grad()
def score_clips(loaded: LoadedModel, samples: Sequence[dict]) -> np.ndarray:
    """Scores of a classifier, (clips, num_classes)."""
    scores = []
    for batch in _batches(samples):
        data = pseudo_collate([loaded.pipeline(deepcopy(s)) for s in batch])
        data = loaded.model.data_preprocessor(data, training=False)
        scores += [s.pred_score.cpu() for s in loaded.model(**data, mode='predict')]
    return torch.stack(scores).numpy()


# ---- the page


def payload(
    clips: Sequence[ViewedClip],
    layout: SkeletonLayout,
    classes: Sequence[str],
    splits: Mapping[str, Sequence[str]],
    bands: tuple[Sequence[float], str] | None = None,
    title: str = '',
    note: str = '',
) -> dict:
    """What the page shows, in types of JSON.

    Coordinates are base64 of little-endian int16 in units of the clip's ``step``, its
    largest coordinate over 32767 (0.1 mm at 3 m); masks are base64 of bits, the
    highest first. Both are in the order (M, T, V, C).

    Args:
        clips: Either all of them are reconstructed, or none.
        layout: Of their joints.
        classes: Name of each label.
        splits: Names of the clips of each split; clips that are not shown are left
            out.
        bands: Edges in cycles a frame and signal, ``'motion'`` or ``'joint'``, of the
            model's frequency head.
        title: Title of the page.
        note: Shown below.

    Raises:
        ValueError: Clips have other joints than the layout.
    """
    for clip in clips:
        if clip.original.shape[2] != layout.num_joints:
            raise ValueError(
                f'{clip.name} has {clip.original.shape[2]} joints, layout '
                f'{layout.name!r} {layout.num_joints}. Name the layout of the data.'
            )
    clips = [_with_shown_root(clip, layout) for clip in clips]
    index = {clip.name: i for i, clip in enumerate(clips)}
    edges, signal = bands or (None, 'motion')
    members = (
        (name, [index[clip] for clip in names if clip in index])
        for name, names in splits.items()
    )
    return dict(
        title=title,
        note=note,
        dims=clips[0].original.shape[-1],
        axes=_axes(clips, layout),
        joints=list(layout.joints),
        joint=_hand(layout),
        edges=[list(edge) for edge in layout.edges],
        classes=list(classes),
        splits=[[name, shown] for name, shown in members if shown],
        bands=None if edges is None else [float(edge) for edge in edges],
        signal=signal,
        reconstructed=clips[0].reconstructed is not None,
        clips=[_entry(clip) for clip in clips],
    )


def write_page(page: dict, path: str | os.PathLike) -> None:
    """Writes a :func:`payload` as one HTML file that needs no network.

    Raises:
        ImportError: plotly is not installed.
    """
    here = Path(__file__).parent
    parts = dict(
        title=html.escape(page['title']),
        # No name can end the script element that holds the data.
        payload=json.dumps(page, separators=(',', ':')).replace('<', '\\u003c'),
        plotly=_plotly(),
        script=(here / 'viewer.js').read_text(encoding='utf-8'),
    )
    template = (here / 'viewer.html').read_text(encoding='utf-8')
    text = re.sub(r'\{\{(\w+)\}\}', lambda match: parts[match[1]], template)
    with written_whole(path) as part:
        part.write_text(text, encoding='utf-8')


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError(
            'The page draws its charts with plotly: pip install "fdmae_mm[view]"'
        ) from error
    return get_plotlyjs()


def _step(clip: ViewedClip) -> float:
    """The unit that holds the largest coordinate of a clip."""
    arrays = [a for a in (clip.original, clip.reconstructed) if a is not None]
    largest = max(float(np.abs(a).max(initial=0)) for a in arrays)
    return largest / np.iinfo(np.int16).max or 1.0


def _entry(clip: ViewedClip) -> dict:
    step = _step(clip)

    def encode(values: np.ndarray) -> str:
        return base64.b64encode(np.round(values / step).astype('<i2')).decode()

    entry = dict(
        name=clip.name,
        label=clip.label,
        shape=list(clip.original.shape),
        step=step,
        original=encode(clip.original),
    )
    if clip.reconstructed is not None:
        entry['reconstructed'] = encode(clip.reconstructed)
        entry['mask'] = base64.b64encode(np.packbits(clip.mask)).decode()
    if clip.scores is not None:
        best = np.argsort(-clip.scores, kind='stable')[:TOP_K]
        entry['scores'] = [[int(k), round(float(clip.scores[k]), 4)] for k in best]
    return entry


def _with_shown_root(clip: ViewedClip, layout: SkeletonLayout) -> ViewedClip:
    """The clip, the root of whose relative joints does not read as missing.

    It is at the origin and is moved by the least that the page can tell from it.
    """
    measured = measured_joints(clip.original, layout.center)
    root = measured & ~seen_joints(clip.original)
    if not root.any():
        return clip
    step = _step(clip)
    moved = {
        name: np.where(root[..., None] & (value == 0), step, value)
        for name in ('original', 'reconstructed')
        if (value := getattr(clip, name)) is not None
    }
    return replace(clip, **moved)


def _write_picture(
    clip: ViewedClip, layout: SkeletonLayout, classes: Sequence[str], out: Path
) -> None:
    """The first person of a clip, upright."""
    if not len(clip.original):
        raise ValueError(f'{out}: nobody is in the clip {clip.name}.')
    clip = _with_shown_root(clip, layout)
    axes, signs = zip(*_axes([clip], layout), strict=True)
    original, reconstructed = (
        x[0][..., list(axes)] * np.array(signs)
        for x in (clip.original, clip.reconstructed)
    )
    save = save_animation if out.suffix == '.gif' else draw_reconstruction
    title = f'{clip.name}: {classes[clip.label]}'
    save(original, clip.mask[0], reconstructed, layout, out, title=title)


def _axes(clips: Sequence[ViewedClip], layout: SkeletonLayout) -> list[tuple[int, int]]:
    """(axis, sign) of the data that go to the right, up and to the reader.

    Up is the axis along which the shoulders are farthest from the hips. Without them
    it is +y in 3-D, and -y in 2-D, as in images.
    """
    dims = clips[0].original.shape[-1]
    rise = np.zeros(dims)
    if layout.hips and layout.shoulders:
        pairs = list(zip(layout.hips, layout.shoulders, strict=True))
    else:
        pairs = [layout.spine] if layout.spine else []
    for clip in clips:
        for bottom, top in pairs:
            ends = clip.original[:, :, [bottom, top]]  # (M, T, 2, C)
            ends = ends[ends.any(axis=-1).all(axis=-1)]
            rise += (ends[:, 1] - ends[:, 0]).sum(axis=0)
    if dims == 2:
        return [(0, 1), (1, 1 if rise[1] > 0 else -1)]
    up = int(np.abs(rise).argmax()) if rise.any() else 1
    sign = -1 if rise[up] < 0 else 1
    # Axes in cyclic order and signs whose product is 1: left stays left.
    return [((up - 1) % 3, 1), (up, sign), ((up + 1) % 3, sign)]


def _hand(layout: SkeletonLayout) -> int:
    """The joint that is chosen at first: one that moves."""
    for joint in layout.parts['right_arm']:
        if any(word in layout.joints[joint] for word in ('wrist', 'hand')):
            return joint
    return 0


# ---- which clips


def _models(
    config: Given, weights: Given, classifier: tuple[Given, Given] | None
) -> tuple[LoadedModel | None, LoadedModel | None]:
    """The pre-training model and the classifier, each None where there is none."""
    if (config is None) != (weights is None):
        raise ValueError(f'config={config} and weights={weights} go together.')
    loaded = load_model(config, weights) if config is not None else None
    judge = load_model(*classifier) if classifier else None
    if judge and isinstance(judge.model, SkeletonMAE):
        raise ValueError(f'{classifier[0]} is a pre-training config, no classifier.')
    if loaded is None or isinstance(loaded.model, SkeletonMAE):
        return loaded, judge
    if judge:
        raise ValueError(f'{config} and {classifier[0]} are both classifiers.')
    return None, loaded


def _dataset(source: LoadedModel | None, ann_file: Given) -> BaseDataset:
    """All clips of the annotation file, checked."""
    cfg = parts_of(source.cfg.eval_dataloader.dataset)[0] if source else {}
    ann_file = cfg.get('ann_file') if ann_file is None else os.fspath(ann_file)
    if ann_file is None:
        raise ValueError('Give an annotation file, or a model whose config names one.')
    kind = cfg.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    if kind is None or not issubclass(kind, SkeletonDataset):
        # Others, as PoseDataset, ask for a split.
        return SkeletonDataset(ann_file, pipeline=[], test_mode=True)
    return DATASETS.build(dict(cfg, ann_file=ann_file, pipeline=[], split=None))


def _layout(
    layout: str | Mapping | SkeletonLayout | None,
    pretrained: LoadedModel | None,
    judge: LoadedModel | None,
    dataset: BaseDataset,
) -> SkeletonLayout:
    if layout is not None:
        return read_layout(layout)
    if pretrained:
        layout = pretrained.layout
    else:
        layout = (judge and judge.source_layout) or dataset.metainfo.get('layout')
    if layout is None:
        raise ValueError(
            f'Neither a pipeline nor {dataset.ann_file} names the layout of the '
            'joints: give it.'
        )
    return get_layout(layout)


def _select(
    dataset: BaseDataset,
    in_split: Mapping[str, Sequence[str]],
    splits: Sequence[str] | None,
    names: Sequence[str] | None,
    num_clips: int,
) -> list[dict]:
    if absent := [split for split in splits or () if split not in in_split]:
        raise ValueError(
            f'{dataset.ann_file} has no split {absent}. It has {sorted(in_split)}.'
        )
    # Each is a copy: the joints of all would take the memory of the set once more.
    samples = map(dataset.get_data_info, range(len(dataset)))
    clips = [(clip_name(sample), int(sample['label'])) for sample in samples]
    if names:
        index_of = {name: i for i, (name, _) in enumerate(clips)}
        if absent := [name for name in names if name not in index_of]:
            raise ValueError(
                f'{dataset.ann_file} has no clips {absent}. Its first is '
                f'{clips[0][0]!r}.'
            )
        return [dataset.get_data_info(index_of[name]) for name in names]
    if num_clips < 1:
        raise ValueError(f'num_clips={num_clips} must be at least 1.')
    split_of = {
        name: split
        for split, members in in_split.items()
        if splits is None or split in splits
        for name in members
    }
    shown = [
        i for i, (name, _) in enumerate(clips) if splits is None or name in split_of
    ]
    groups = [(split_of.get(name), label) for name, label in (clips[i] for i in shown)]
    return [dataset.get_data_info(shown[i]) for i in _spread(groups, num_clips)]


def _spread(groups: Sequence[Hashable], count: int) -> list[int]:
    """Positions of ``count`` items, as evenly over their groups as can be, in order."""
    seen, rank = Counter(), []
    for group in groups:
        rank.append(seen[group])
        seen[group] += 1
    return sorted(sorted(range(len(groups)), key=rank.__getitem__)[:count])


def _batches(samples: Sequence[dict]) -> Iterator[Sequence[dict]]:
    for start in range(0, len(samples), BATCH_SIZE):
        yield samples[start : start + BATCH_SIZE]


def _class_names(clips: Sequence[ViewedClip], known: Sequence[str] | None) -> list[str]:
    """A name for every label and score, its number where it has none."""
    scored = (len(clip.scores) for clip in clips if clip.scores is not None)
    count = max([*scored, *(1 + clip.label for clip in clips)])
    names = list(known or ())
    return names + [f'class {k}' for k in range(len(names), count)]


def _band_edges(loaded: LoadedModel | None) -> tuple[Sequence[float], str] | None:
    for head in loaded.cfg.model.heads.values() if loaded else ():
        if 'band_edges' in head:
            return head.band_edges, head.get('signal', 'motion')
    return None


def _note(loaded: LoadedModel, head: str) -> str:
    """What one must know to read the completion."""
    target, notes = loaded.model.heads[head].target, []
    if getattr(target, 'normalize', False):
        notes.append(
            f'The target of the head {head!r} is normalised: the completion takes the '
            'mean and scale of each cell from the original.'
        )
    if target.signal_name == 'motion':
        notes.append(
            'It predicts motion, which is summed up from the first frame: where a '
            'joint was masked before, it is off its place when it is visible again.'
        )
    return ' '.join(notes)
