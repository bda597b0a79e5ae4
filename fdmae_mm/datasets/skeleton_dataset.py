"""PoseDataset that says what is wrong with its data."""

from __future__ import annotations

import logging
import os.path as osp
import pickle
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from mmaction.datasets import PoseDataset
from mmaction.registry import DATASETS
from mmengine.dataset import Compose
from mmengine.logging import print_log

from .annotation import clip_name, load_annotation
from .keypoints import (
    check_non_finite,
    finite_joints,
    present_first,
    present_persons,
    zero_joints,
)
from .layouts import differing_joint, get_layout, layouts_of


def _listed(names: Sequence[str], shown: int = 5) -> str:
    """The first names, and how many there are."""
    more = f' and {len(names) - shown} more' if len(names) > shown else ''
    return ', '.join(map(str, names[:shown])) + more


def _in_order(subjects: set) -> list:
    """Sorted: numbers by their value, before names."""
    return sorted(subjects, key=lambda subject: (isinstance(subject, str), subject))


def _is_empty(sample: dict) -> bool:
    """Whether no person was found in the clip: it holds zeros only."""
    return 'keypoint' in sample and not sample['keypoint'].any()


def unrepeated(dataset: dict) -> dict:
    """The config of a dataset itself, where it may stand in wrappers that repeat it."""
    inner = dataset.get('dataset')
    # A data set may have an argument of this name, which is none.
    return unrepeated(inner) if isinstance(inner, Mapping) else dataset


def parts_of(dataset: object) -> list:
    """What wrappers repeat, balance or join; of others themselves.

    Args:
        dataset (Dataset | ConfigDict): A data set, or its config.
    """
    wrapped = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    # A data set may have attributes of these names, which are none.
    parts = [
        each
        for each in wrapped
        if hasattr(each, '__getitem__') and not isinstance(each, Sequence)
    ]
    return [part for each in parts for part in parts_of(each)] or [dataset]


def shared_clips(labelled: object, tested: object) -> str | None:
    """What to say of clips that are tested and whose labels are given, None without.

    Args:
        labelled (Dataset): Clips with labels, repeated or not.
        tested (Dataset): Clips that shall be classified. Only those of one file are
            compared, and only of :class:`SkeletonDataset`.
    """
    for one, other in product(parts_of(labelled), parts_of(tested)):
        if known := _shared_clips(one, other):
            return known
    return None


def _shared_clips(labelled: object, tested: object) -> str | None:
    if not all(isinstance(each, SkeletonDataset) for each in (labelled, tested)):
        return None
    one, other = (osp.realpath(each.ann_file) for each in (labelled, tested))
    if one != other:
        return None
    shared = sorted(labelled.names & tested.names)
    if not shared:
        return None
    return (
        f'{len(shared)} of the {len(tested.names)} clips of split {tested.split!r} are '
        f'in split {labelled.split!r} too, whose labels are given: {_listed(shared)}. '
        'Set the split of every data loader; that of the neighbours is in '
        'bank_dataloader and, in a k-NN config, in custom_hooks.0.dataloader.'
    )


def refuse_known_clips(labelled: object, tested: object) -> None:
    """Refuse to find neighbours of clips among themselves, or of other classes.

    Raises:
        ValueError: The data sets share clips, or name their classes differently.
    """
    refuse_other_classes(labelled, tested)
    if known := shared_clips(labelled, tested):
        raise ValueError(known)


def refuse_other_classes(labelled: object, tested: object) -> None:
    """Refuse a test whose labels mean other classes than those that were learnt.

    Raises:
        ValueError: A label has another name in one file than in the other.
    """
    for one, other in product(parts_of(labelled), parts_of(tested)):
        _refuse_other_classes(one, other)


def _refuse_other_classes(labelled: object, tested: object) -> None:
    known, asked = (
        getattr(each, 'metainfo', {}).get('classes') for each in (labelled, tested)
    )
    for label, (one, other) in enumerate(zip(known or (), asked or (), strict=False)):
        if one != other:
            raise ValueError(
                f'Label {label} is {one!r} in {labelled.ann_file} and {other!r} in '
                f'{tested.ann_file}. Convert both parts as one set, with the column '
                'split in labels.csv.'
            )


@DATASETS.register_module()
class SkeletonDataset(PoseDataset):
    """Skeleton clips from an annotation file, checked before training begins.

    It reads what PoseDataset reads and hands over the same dicts, but for persons who
    are absent from a clip: they come after the others. It loads the file without
    running code from it, checks every clip of the split, and passes the file's
    ``metainfo`` (class names, layout) on. Its layout must be that of the transforms.

    A clip of zeros only (no person found) is left out of training with one warning,
    and kept where ``test_mode`` is set, so that a test set stays complete. Clips of a
    single frame are kept.

    Args:
        ann_file: Path of the annotation pickle.
        pipeline: Transforms.
        split: Name of a split of the file. None takes all its clips. ``X_dev_train``
            and ``X_dev_val`` divide the file's ``X_train``, to choose settings without
            a look at the test split: every fourth of its subjects, in ascending order,
            is in ``X_dev_val``.
        num_joints: Joints V that the model is made for. None: the joints of the first
            clip, which the others must share.
        non_finite: 'error' refuses a split with NaN or infinite coordinates or scores;
            'zero' sets joints that have one to zero, which marks a dropped joint, and
            their scores.
        classes: Labels of the clips to keep, for example all but those held out for
            few-shot episodes. Labels stay as they are. None keeps all.
        label_share: Share of the split to keep, in (0, 1], for the semi-supervised
            protocol. The clips are a function of ``draw_seed`` alone, so that all ranks
            have the same, and a smaller share is a part of a larger one. None keeps
            all.
        draw: 'stratified' keeps the share of each class, rounded, and at least one
            clip that is not of zeros only, if the class has one. 'plain'
            draws from all clips alike and rounds down, as
            `MAMP <https://github.com/maoyunyao/MAMP>`_ does; a class can miss out.
        draw_seed: Number of the draw.
        **kwargs: As for :class:`mmaction.datasets.PoseDataset`.

    Raises:
        FileNotFoundError: ``ann_file`` is missing.
        ValueError: The file, the split or a clip is not as it must be, or no clip is
            left.
    """

    def __init__(
        self,
        ann_file: str,
        pipeline: list[dict | Callable],
        split: str | None = None,
        num_joints: int | None = None,
        non_finite: str = 'error',
        classes: Sequence[int] | None = None,
        label_share: float | None = None,
        draw: str = 'stratified',
        draw_seed: int = 0,
        **kwargs,
    ) -> None:
        check_non_finite(non_finite)
        if label_share is not None and not 0 < label_share <= 1:
            raise ValueError(
                f'label_share={label_share} must be in (0, 1], or None for all clips.'
            )
        if draw not in ('stratified', 'plain'):
            raise ValueError(f"draw={draw!r} must be 'stratified' or 'plain'.")
        self.num_joints = num_joints
        self.non_finite = non_finite
        self.classes = classes
        self.label_share = label_share
        self.draw = draw
        self.draw_seed = draw_seed
        super().__init__(ann_file, pipeline=pipeline, split=split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Loads and checks the clips of the split."""
        content = load_annotation(self.ann_file)
        for key, value in content.get('metainfo', {}).items():
            self._metainfo.setdefault(key, value)
        if isinstance(names := self._metainfo.get('classes'), np.ndarray):
            self._metainfo['classes'] = names.tolist()
        samples = self._select(content)
        # PoseDataset reads the joints of each clip from its own file in this case.
        if 'skeleton' not in self.data_prefix:
            self._check_layout()
            self._check_keypoints(samples)
        if self.classes is not None:
            samples = self._keep_classes(samples)
        if self.label_share is not None:
            samples = self._draw_share(samples)
        self.names = frozenset(map(clip_name, samples))
        if not self.multi_class:
            self.max_label = max((s.get('label', 0) for s in samples), default=0)
        if 'video' in self.data_prefix:
            for sample in samples:
                for key in {'filename', 'frame_dir'} & sample.keys():
                    sample[key] = osp.join(self.data_prefix['video'], sample[key])
        return samples

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of a clip, for MMEngine's ClassBalancedDataset."""
        return np.atleast_1d(self.get_data_info(idx)['label']).tolist()

    def filter_data(self) -> list[dict]:
        """Leaves empty clips out of training."""
        samples = super().filter_data()
        if not self.test_mode:
            empty = [clip_name(sample) for sample in samples if _is_empty(sample)]
            if empty:
                print_log(
                    f'{self.ann_file}, split {self.split}: {len(empty)} clips hold '
                    f'only zeros and are left out of training: {_listed(empty)}.',
                    logger='current',
                    level=logging.WARNING,
                )
                # Not by name: without a split two clips may have the same.
                samples = [sample for sample in samples if not _is_empty(sample)]
        if not samples:
            raise ValueError(
                f'{self.ann_file}, split {self.split}: no clip is left after filtering.'
            )
        return samples

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        """The clips as bytes, and where each ends.

        They are those of the stock method, which holds all clips, their pickles and
        the whole of these at once. Here a clip goes when its bytes are there.
        """
        content, ends = bytearray(), []
        for index, sample in enumerate(self.data_list):
            content += pickle.dumps(sample, protocol=4)
            ends.append(len(content))
            self.data_list[index] = None
        self.data_list.clear()
        return np.frombuffer(content, np.uint8), np.array(ends, np.int64)

    def _select(self, content: dict) -> list[dict]:
        """The annotations of the split, in the order of the file."""
        found = Counter()
        for index, sample in enumerate(content['annotations']):
            if not isinstance(sample, dict) or clip_name(sample) is None:
                raise ValueError(
                    f'{self.ann_file}: annotation {index} must be a dict with the key '
                    "'frame_dir'."
                )
            found[clip_name(sample)] += 1
        prefix, development, part = (self.split or '').rpartition('dev_')
        if self.split is None:
            names = set(found)
        elif self.split in content['split']:
            names = set(content['split'][self.split])
        elif (
            development
            and part in ('train', 'val')
            and f'{prefix}train' in content['split']
        ):
            names = set(content['split'][f'{prefix}train'])
            names = self._development(content['annotations'], names, part == 'val')
        else:
            raise ValueError(
                f'{self.ann_file} has no split {self.split!r}. It has '
                f'{sorted(content["split"])}.'
            )
        if not names:
            raise ValueError(
                f'{self.ann_file}: split {self.split!r} is empty. Splits and their '
                f'sizes: { {name: len(s) for name, s in content["split"].items()} }.'
            )
        if absent := sorted(names - found.keys()):
            raise ValueError(
                f'{self.ann_file}: split {self.split!r} names clips that have no '
                f'annotation: {_listed(absent)}. Take them out of the split or convert '
                'the data again.'
            )
        # A split could not tell them apart, and one may be in the other split.
        repeated = sorted(name for name in names if found[name] > 1)
        if self.split is not None and repeated:
            raise ValueError(
                f'{self.ann_file}: {len(repeated)} clips of split {self.split!r} have '
                f'the name (frame_dir) of another: {_listed(repeated)}. Give each clip '
                'a name of its own, for example with its folder in front.'
            )
        return [s for s in content['annotations'] if clip_name(s) in names]

    def _development(self, samples: list[dict], names: set, held_out: bool) -> set:
        """Those of ``names`` whose subject is held out, or the others."""
        subject_of = {clip_name(s): s.get('subject') for s in samples}
        subjects = {subject_of.get(name) for name in names}
        if None in subjects or len(subjects) < 4:
            found = 'clips without one' if None in subjects else _in_order(subjects)
            raise ValueError(
                f'{self.ann_file}, split {self.split!r} holds out every fourth subject '
                f'of the training split, which has {found}: it takes four subjects or '
                "more, under the key 'subject' of every clip."
            )
        held = set(_in_order(subjects)[3::4])
        return {name for name in names if (subject_of[name] in held) == held_out}

    def _keep_classes(self, samples: list[dict]) -> list[dict]:
        if self.multi_class:
            raise ValueError('classes asks for one label a clip: multi_class=True.')
        counts = Counter(int(sample['label']) for sample in samples)
        classes = set(self.classes)
        if absent := sorted(classes - counts.keys()):
            raise ValueError(
                f'{self.ann_file}, split {self.split}: no clip has the classes '
                f'{absent}. It has {sorted(counts)}.'
            )
        return [s for s in samples if s['label'] in classes]

    def _draw_share(self, samples: list[dict]) -> list[dict]:
        # Not from numpy's global generator, whose state differs between ranks.
        rng = np.random.default_rng(self.draw_seed)
        if self.draw == 'plain':
            # 0.29 * 100 is a little less than 29.
            count = int(self.label_share * len(samples) + 1e-6)
            drawn = rng.permutation(len(samples))[:count]
        elif self.multi_class:
            raise ValueError(
                "draw='stratified' asks for one label a clip: multi_class=True. Set "
                "draw='plain'."
            )
        else:
            labels = np.array([sample['label'] for sample in samples])
            drawn = []
            for label in np.unique(labels):
                members = np.flatnonzero(labels == label)
                count = max(1, round(self.label_share * len(members)))
                order = rng.permutation(members)
                chosen = list(order[:count])
                # Left with empty clips, which training drops, the class would vanish.
                # Only the last is replaced: a larger share must hold a smaller one.
                if all(_is_empty(samples[index]) for index in chosen):
                    seen = (i for i in order[count:] if not _is_empty(samples[i]))
                    chosen[-1] = next(seen, chosen[-1])
                drawn.extend(chosen)
        if not len(drawn):
            raise ValueError(
                f'{self.ann_file}, split {self.split}: label_share={self.label_share} '
                f'of {len(samples)} clips is none. Take a larger share, or draw='
                "'stratified', which keeps a clip of each class."
            )
        return [samples[index] for index in sorted(drawn)]

    def _check_layout(self) -> None:
        """The file and each transform must mean the same joints."""
        try:
            found, origin = get_layout(self._metainfo['layout']), 'the file'
        except (KeyError, TypeError, ValueError):
            return  # the file names none, or one of another tool
        for transform in self.pipeline.transforms:
            name = type(transform).__name__
            taken, given = layouts_of(Compose([transform]))
            index = None if taken is None else differing_joint(found, taken)
            if index is not None:
                here, there = (
                    repr(layout.joints[index]) if index < layout.num_joints else 'none'
                    for layout in (found, taken)
                )
                raise ValueError(
                    f'{self.ann_file}: {origin} gives the joints of layout '
                    f'{found.name!r}, and the transform {name} takes those of '
                    f'{taken.name!r}: joint {index} is {here} from {origin} and '
                    f'{there} in {name}. Set its layout to the one that it gets or '
                    "put MapSkeleton before it; where the file's metainfo is wrong, "
                    'set metainfo=dict(layout=...) of the dataset.'
                )
            if given not in (None, taken):
                found, origin = given, name

    def _check_keypoints(self, samples: list[dict]) -> None:
        classes = self._metainfo.get('classes')
        num_joints, channels, stray = self.num_joints, None, []
        for sample in samples:
            where = f'{self.ann_file}, clip {clip_name(sample)}'
            for key in ('keypoint', 'total_frames', 'label'):
                if key not in sample:
                    hint = ''
                    if key == 'keypoint':
                        hint = (
                            ' Where the joints of each clip have a file of their own, '
                            'as those of Kinetics in MMAction2, name its folder: '
                            'data_prefix=dict(skeleton=FOLDER).'
                        )
                    raise ValueError(f'{where}: the key {key!r} is missing.{hint}')
            keypoint = sample['keypoint']
            shape = np.shape(keypoint)
            if not isinstance(keypoint, np.ndarray) or keypoint.dtype.kind != 'f':
                raise ValueError(
                    f'{where}: keypoint must be a numpy array of floats, not '
                    f'{getattr(keypoint, "dtype", type(keypoint).__name__)}.'
                )
            if len(shape) == 3:
                raise ValueError(
                    f'{where}: keypoint has the shape {shape}, expected (persons, '
                    'frames, joints, coordinates). For one person add the first axis: '
                    'keypoint[None].'
                )
            if len(shape) != 4 or 0 in shape:
                raise ValueError(
                    f'{where}: keypoint has the shape {shape}, expected (persons, '
                    'frames, joints, coordinates), none of them 0.'
                )
            frames = sample['total_frames']
            if not isinstance(frames, (int, np.integer)) or frames != shape[1]:
                raise ValueError(
                    f'{where}: total_frames={frames!r}, but keypoint has {shape[1]} '
                    f'frames (shape {shape}).'
                )
            if num_joints is None:
                num_joints = shape[2]
            if shape[2] != num_joints:
                raise ValueError(
                    f'{where}: {shape[2]} joints, expected {num_joints}. Set '
                    f'num_joints={shape[2]} in backbone and dataset and choose the '
                    "layout that the data has, or choose this layout's data."
                )
            channels = channels or shape[3]
            if shape[3] != channels:
                raise ValueError(
                    f'{where}: {shape[3]} coordinates a joint, and the first clip of '
                    f'the split has {channels}. Clips of one split have the same.'
                )
            score = sample.get('keypoint_score')
            if score is None:  # some tools write that there is none
                sample.pop('keypoint_score', None)
            elif np.shape(score) != shape[:3]:
                raise ValueError(
                    f'{where}: keypoint_score has the shape {np.shape(score)}, '
                    f'expected {shape[:3]}.'
                )
            self._check_label(sample['label'], classes, where)
            if isinstance(sample['label'], np.integer):
                # PackActionInputs of MMAction2 takes no other.
                sample['label'] = int(sample['label'])
            finite = finite_joints(sample)
            if not finite.all():
                stray.append(clip_name(sample))
                if self.non_finite == 'zero':
                    sample.update(zero_joints(sample, ~finite))
            if shape[0] > 1:
                present = present_persons(sample)
                if (present[:-1] < present[1:]).any():
                    sample.update(present_first(sample))
        if stray and self.non_finite == 'error':
            raise ValueError(
                f'{self.ann_file}: {len(stray)} clips have NaN or infinite coordinates '
                f'or scores: {_listed(stray)}. Mend them, or set '
                "non_finite='zero' in the dataset to treat such joints as dropped."
            )

    def _check_label(self, label: object, classes: list | None, where: str) -> None:
        if self.multi_class:  # a list of labels
            return
        if not isinstance(label, (int, np.integer)) or label < 0:
            raise ValueError(f'{where}: label={label!r} must be an integer from 0.')
        if classes is not None and label >= len(classes):
            raise ValueError(
                f'{where}: label={label}, but metainfo names {len(classes)} classes.'
            )
