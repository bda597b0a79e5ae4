#!/usr/bin/env python
"""Classify joints by an exported model, with numpy and onnxruntime alone.

python tools/onnx_infer.py recognizer.onnx joints.npy --top 3

The array is (M persons, T frames, V joints, C coordinates), or (T, V, C) of one person;
persons who are absent and joints that were not measured are zeros. All else stands in
the model: an example to copy from, as it imports nothing of fdmae_mm.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np
import onnxruntime


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.replace('python tools/onnx_infer.py', '%(prog)s'),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', help='what tools/export.py has written (.onnx)')
    parser.add_argument('joints', help='array of joints (.npy)')
    parser.add_argument('--top', type=int, default=5, help='classes to print')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the classes with the highest scores, or the features."""
    args = parse_args(argv)
    try:
        session = onnxruntime.InferenceSession(args.model)
    except Exception as error:  # which have no class in common
        raise ValueError(f'{args.model} was not read: {error}') from error
    metadata = read_metadata(session)
    joints = np.load(args.joints, allow_pickle=False)
    if joints.ndim == 3:
        joints = joints[None]
    if joints.ndim == 4 and joints.shape[0] > max(joints.shape[1], 6):
        raise ValueError(
            f'{args.joints} has shape {joints.shape}, expected (persons, frames, '
            'joints, coordinates): np.swapaxes(array, 0, 1) puts persons first.'
        )
    if not joints.any():
        raise ValueError(f'{args.joints}: nobody is in it, all joints are zeros.')
    if joints.ndim == 4:  # whoever is there stands before whoever is not
        joints = joints[np.argsort(~joints.any((1, 2, 3)), kind='stable')]
    joints = preprocess(joints, metadata)
    if not metadata['input']['encode_absent']:
        # Whoever is absent would cost the time of a person, and count nothing.
        present = joints.any((0, 2, 3, 4))
        present[0] |= not present.any()
        joints = joints[:, present]
    output = session.run(None, {'joints': joints})[0]
    output = output.mean(0)  # over the clips that the pipeline cuts of a recording
    if metadata['output']['name'] == 'features':
        print(json.dumps(output.tolist()))
        return
    names = metadata['classes'] or []  # a head may have more classes than names
    names = [*names, *(f'class {i}' for i in range(len(names), len(output)))]
    for i in np.argsort(-output)[: args.top]:
        print(f'{output[i]:.4f}  {names[i]}')


def read_metadata(session: onnxruntime.InferenceSession) -> dict:
    """What stands beside the weights: classes, layout, preprocessing and more."""
    entries = session.get_modelmeta().custom_metadata_map
    if 'preprocessing' not in entries:
        raise ValueError('The model was not written by tools/export.py.')
    return {key: json.loads(value) for key, value in entries.items()}


def preprocess(joints: np.ndarray, metadata: dict) -> np.ndarray:
    """The test pipeline of the model: (M, T, V, C) -> (clips, M, T', V, C).

    Raises:
        ValueError: The pipeline has a transform or a setting that is not written here,
            or the joints do not fit the model.
    """
    steps = [dict(step) for step in metadata['preprocessing']]
    names = [step.pop('type') for step in steps]
    unknown = [name for name in names if name not in TRANSFORMS]
    if unknown:
        raise ValueError(
            f'{", ".join(unknown)} of the preprocessing is not written here in numpy, '
            f'only {", ".join(TRANSFORMS)}.'
        )
    if joints.ndim != 4 or not np.isfinite(joints).all():
        raise ValueError(
            f'The joints, of shape {joints.shape}, must be (M, T, V, C), and finite: '
            'zeros stand for what was not measured.'
        )
    clip = dict(keypoint=joints.astype(np.float32), num_clips=1)
    for name, step in zip(names, steps, strict=True):
        TRANSFORMS[name](clip, **step)
    expected = tuple(metadata['input']['shape'][2:])
    if clip['keypoint'].shape[2:] != expected:
        raise ValueError(
            f'The joints of shape {joints.shape} become {clip["keypoint"].shape}, but '
            f'the model takes (T, V, C) = {expected}.'
        )
    return clip['keypoint']


def check_layout(joints: np.ndarray, layout: dict) -> None:
    """Refuses joints (M, T, V, C) of another number than the layout's."""
    if joints.shape[2] != len(layout['joints']):
        raise ValueError(
            f'The array has {joints.shape[2]} joints, the model takes those of layout '
            f'{layout["name"]}: {", ".join(layout["joints"])}.'
        )


def measured(joints: np.ndarray, center: int) -> np.ndarray:
    """Joints (M, T, V, C) that are not zero, and the root of others around it."""
    seen = joints.any(-1)
    for body, has in zip(joints, seen, strict=True):
        points = body[has]
        if len(points) and not has[:, center].any():
            around = (points.min(0) <= 0).all() and (points.max(0) >= 0).all()
            has[:, center] = around & has.any(1)
    return seen


def interpolate_joints(clip: dict) -> None:
    """A joint that dropped out lies between the frames that have it."""
    joints = clip['keypoint'] = clip['keypoint'].copy()
    seen = joints.any(-1)  # (M, T, V)
    for person, joint in np.argwhere(seen.any(1)):
        has = seen[person, :, joint]
        lost = seen[person].any(-1) & ~has
        times = np.arange(len(has))
        for line in joints[person, :, joint].T:
            line[lost] = np.interp(times[lost], times[has], line[has])


def align_skeleton(clip: dict, layout: dict, rotate: str, center: str) -> None:
    """The main person's centre to the origin, its right-left line along +x."""
    if rotate not in ('vertical', 'none'):
        raise ValueError(f'AlignSkeleton with rotate={rotate!r} is not written here.')
    joints, middle = clip['keypoint'], layout['center']
    if rotate == 'vertical' and joints.shape[3] != 3:
        raise ValueError(
            f'The array has {joints.shape[3]} coordinates a joint, the model takes 3.'
        )
    check_layout(joints, layout)
    seen = measured(joints, middle)
    if not seen.any():
        return
    main = seen.any((1, 2)).argmax()
    body, seen_body = joints[main], seen[main]
    centered = np.flatnonzero(seen_body[:, middle])  # frames
    turn = None
    if centered.size:
        origin = body[centered[0], middle]
        for frame in centered if rotate == 'vertical' else ():
            turn = facing(body[frame], seen_body[frame], layout)
            if turn is not None:
                origin = body[frame, middle]
                break
        if center == 'clip':
            origin = body[centered, middle].mean(0)
    else:
        first = seen_body.any(1).argmax()
        origin = body[first, seen_body[first]].mean(0)
    joints = joints - origin
    if turn is not None:
        joints = joints @ turn.T
    joints[~seen] = 0
    clip['keypoint'] = joints


def facing(pose: np.ndarray, seen: np.ndarray, layout: dict) -> np.ndarray | None:
    """The turn about the vertical, (3, 3), that puts right to left along +x."""
    for side in ('shoulders', 'hips'):
        if layout[side] is None:
            continue
        right, left = layout[side]
        x, _, z = line = (pose[left] - pose[right]).astype(np.float64)
        ground = np.hypot(x, z)
        # Within 3 degrees of the vertical a line has no direction on the ground.
        if seen[right] and seen[left] and ground > 0.05 * np.linalg.norm(line):
            turn = [[x, 0, z], [0, ground, 0], [-z, 0, x]]
            return (np.array(turn) / ground).astype(np.float32)
    return None


def temporal_crop_resize(
    clip: dict,
    clip_len: int,
    crop_range: Sequence[float],
    num_clips: int,
    test_mode: bool,
    min_frames: int,  # of a training crop
) -> None:
    """The central share of the frames, resized linearly to ``clip_len``."""
    if not test_mode:
        raise ValueError('TemporalCropResize of training is not written here.')
    joints = clip['keypoint']
    frames = np.flatnonzero(joints.any((0, 2, 3)))
    first, last = (frames[0], frames[-1]) if frames.size else (0, joints.shape[1] - 1)
    valid = last + 1 - first
    margin = int((1 - crop_range[1]) * valid / 2)
    size = valid - 2 * margin
    starts = [margin]
    if num_clips > 1:
        starts = np.linspace(0, 2 * margin, num_clips).round().astype(int)
    # Whole numbers up to one division, so that a frame that is met is met exactly.
    place = (2 * np.arange(clip_len) + 1) * size - clip_len
    place = np.maximum(place, 0) / (2 * clip_len)
    begin = first + np.array(starts)[:, None]
    below = joints[:, (begin + place.astype(int)).ravel()]
    upper = np.minimum(np.ceil(place).astype(int), size - 1)
    above = joints[:, (begin + upper).ravel()]
    # Between a measured and a missing joint, the measured one.
    below, above = (
        np.where(a.any(-1, keepdims=True), a, b)
        for a, b in ((below, above), (above, below))
    )
    weight = np.tile(place % 1, num_clips)[:, None, None].astype(np.float32)
    clip.update(keypoint=below + weight * (above - below), num_clips=num_clips)


def map_skeleton(clip: dict, source: dict, target: dict, weights: list) -> None:
    """Each joint of the target as a mean of the source's; all of them must be seen."""
    joints = clip['keypoint']
    check_layout(joints, source)
    weights = np.array(weights, np.float32)  # (V of the target, V of the source)
    lacking = ~measured(joints, source['center']) @ (weights > 0).T
    clip['keypoint'] = np.where(lacking[..., None], 0, weights @ joints)


def skeleton_stream(clip: dict, layout: dict, stream: str, parents: list) -> None:
    """Joints minus their parents, the next frame minus this one, or both."""
    joints = clip['keypoint']
    check_layout(joints, layout)
    seen = measured(joints, layout['center'])
    if stream.startswith('bone'):
        joints = joints - joints[:, :, parents]
        seen = seen & seen[:, :, parents]
    if stream.endswith('motion'):
        frames = joints.shape[1]
        last = np.arange(1, frames + 1) % (frames // clip['num_clips']) == 0
        following = np.minimum(np.arange(frames) + 1, frames - 1)
        joints = joints[:, following] - joints
        seen = seen & seen[:, following] & ~last[:, None]
    clip['keypoint'] = np.where(seen[..., None], joints, 0)


def format_gcn_input(clip: dict, num_person: int, mode: str) -> None:
    """So many persons, those who lack as zeros: (M, K * T, V, C) -> (K, M, T, V, C)."""
    if mode != 'zero':
        raise ValueError(f'FormatGCNInput with mode={mode!r} is not written here.')
    joints = clip['keypoint'][:num_person]
    lacking = num_person - len(joints)
    joints = np.pad(joints, ((0, lacking), (0, 0), (0, 0), (0, 0)))
    clip['keypoint'] = np.stack(np.split(joints, clip['num_clips'], axis=1))


TRANSFORMS = {
    'InterpolateJoints': interpolate_joints,
    'MapSkeleton': map_skeleton,
    'AlignSkeleton': align_skeleton,
    'TemporalCropResize': temporal_crop_resize,
    'SkeletonStream': skeleton_stream,
    'FormatGCNInput': format_gcn_input,
}


if __name__ == '__main__':
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
