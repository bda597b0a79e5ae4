"""Several data sets as one, in the joints of one layout."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmengine.registry import init_default_scope

from .annotation import clip_name
from .converters.folder import layout_entry
from .layouts import SkeletonLayout, get_layout
from .skeleton_dataset import SkeletonDataset
from .transforms import MapSkeleton

#: Name of the one split of a pooled set.
SPLIT = 'pool_train'


def pool(
    sources: Sequence[tuple[str | os.PathLike, str]],
    layout: str | Mapping | SkeletonLayout,
) -> dict:
    """Puts splits of annotation files together, to pre-train one encoder on all.

    Joints are mapped by :class:`MapSkeleton`. Names of clips, classes and subjects get
    the name of their file in front, so that none of two files are the same. Coordinates
    stay as they are: sets of other units or axes are for a transform to bring together.

    Args:
        sources: (annotation file, split) of each set. Splits of
            :class:`SkeletonDataset`, so ``X_dev_train`` too.
        layout: The layout of the result, as taken by :func:`get_layout`.

    Returns:
        An annotation dict with the one split ``pool_train``.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file or split is not as it must be, has no layout in its metainfo,
            or lacks what a joint is made of; two files have the same name, or another
            number of coordinates; some clips have keypoint_score and some have none.
    """
    target = get_layout(layout)
    names = [Path(path).stem for path, _ in sources]
    if len(set(names)) < len(names):
        raise ValueError(
            f'The files {[os.fspath(path) for path, _ in sources]} must have different '
            'names, which tell their clips apart.'
        )
    init_default_scope('mmaction')
    annotations, classes, channels, scored = [], [], {}, {}
    for name, (path, split) in zip(names, sources, strict=True):
        dataset = SkeletonDataset(os.fspath(path), [], split, lazy_init=True)
        samples = dataset.load_data_list()
        metainfo = dataset.metainfo
        if 'layout' not in metainfo:
            raise ValueError(
                f'{path} has no layout in its metainfo, so its joints have no names. '
                'Convert the data with a command of this package.'
            )
        channels[os.fspath(path)] = samples[0]['keypoint'].shape[3]
        to_target = MapSkeleton(metainfo['layout'], target)
        for sample in samples:
            scored.setdefault('keypoint_score' in sample, path)
            pooled = dict(
                to_target.transform(sample),
                frame_dir=f'{name}/{clip_name(sample)}',
                label=len(classes) + int(sample['label']),
            )
            pooled.pop('filename', None)  # would be its name instead of frame_dir
            if 'subject' in sample:
                pooled['subject'] = f'{name}/{sample["subject"]}'
            annotations.append(pooled)
        own = metainfo.get('classes')
        own = own or range(1 + max(int(sample['label']) for sample in samples))
        classes += [f'{name}: {label}' for label in own]
    if len(set(channels.values())) > 1:
        raise ValueError(f'The files have other numbers of coordinates: {channels}.')
    if len(scored) > 1:
        raise ValueError(
            f'Clips of {scored[True]} have keypoint_score and clips of {scored[False]} '
            'have none. Clips of one set have the same: take it out, or leave one file '
            'out.'
        )
    return dict(
        split={SPLIT: [a['frame_dir'] for a in annotations]},
        annotations=annotations,
        metainfo=dict(
            dataset='pooled',
            layout=layout_entry(target),
            classes=classes,
            source=', '.join(f'{Path(path).name} {split}' for path, split in sources),
        ),
    )
