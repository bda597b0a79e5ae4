"""Skeleton layouts: what each joint index means, and which joints are the same.

A layout is needed wherever code must know the body and not only V: drawing, left-right
flip, view alignment, masking of body parts, bones, the way from one layout to another.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from mmengine.dataset import Compose
from mmengine.logging import print_log

from .keypoints import seen_joints

PARTS = ('torso', 'left_arm', 'right_arm', 'left_leg', 'right_leg')

# fmt: off
_ARM_WORDS = (
    'shoulder', 'elbow', 'wrist', 'hand', 'arm', 'finger', 'thumb', 'palm', 'index',
    'pinky',
)
_LEG_WORDS = (
    'hip', 'knee', 'ankle', 'foot', 'leg', 'toe', 'heel', 'thigh', 'shin', 'calf',
)
# Canonical name -> what other sources call the same joint; the first that a layout has
# is taken. Names as _split returns them: the side apart, lower case, '_' between words.
_MIDDLE_SYNONYMS = {
    'pelvis': (
        'root', 'hip_center', 'hip_centre', 'mid_hip', 'hip', 'hips', 'spine_base',
        'bottom_torso',
    ),
    'spine': (
        'torso', 'spine_mid', 'mid_spine', 'spine_naval', 'spine_navel', 'spine_1',
    ),
    'shoulder_center': (
        'shoulder_centre', 'spine_shoulder', 'mid_shoulder', 'thorax', 'upper_torso',
    ),
    'spine_chest': ('chest',),
    'neck': ('neck_base', 'upper_neck'),
    'head_top': ('top_head',),
}
_SIDE_SYNONYMS = {
    'shoulder': ('upper_arm', 'arm'),
    'elbow': ('fore_arm', 'forearm', 'lower_arm'),
    'hand': ('palm',),
    'hand_tip': ('handtip',),
    'hip': ('hip_joint', 'up_leg', 'upper_leg', 'thigh'),
    'knee': ('leg', 'lower_leg', 'shin', 'calf'),
    'toe': ('big_toe', 'toe_base', 'foot_index'),
}
# fmt: on
# Of what a joint is made where a layout lacks it: the mean of the first entry whose
# joints the layout has, or that can themselves be made.
_STAND_INS = {
    'pelvis': (('left_hip', 'right_hip'),),
    'spine': (('pelvis', 'shoulder_center'),),
    'shoulder_center': (
        ('neck',),
        ('left_shoulder', 'right_shoulder'),
        ('spine_chest',),
    ),
    'spine_chest': (('spine', 'shoulder_center'),),
    'neck': (('shoulder_center',),),
    'head': (('head_top',), ('nose',), ('left_ear', 'right_ear')),
    'head_top': (('head',),),
    'nose': (('head',),),
    **{f'{side}_eye': (('nose',),) for side in ('left', 'right')},
    **{f'{side}_ear': (('head',),) for side in ('left', 'right')},
    **{f'{side}_mouth': (('nose',),) for side in ('left', 'right')},
    **{
        f'{side}_clavicle': (('shoulder_center', f'{side}_shoulder'),)
        for side in ('left', 'right')
    },
    **{
        f'{side}_{joint}': ((f'{side}_{other}',),)
        for side in ('left', 'right')
        for joint, other in (
            ('wrist', 'hand'),
            ('hand', 'wrist'),
            ('hand_tip', 'hand'),
            ('thumb', 'hand'),
            ('index', 'hand'),
            ('pinky', 'hand'),
            ('eye_inner', 'eye'),
            ('eye_outer', 'eye'),
            ('ankle', 'foot'),
            ('foot', 'ankle'),
            ('toe', 'foot'),
            ('small_toe', 'toe'),
            ('heel', 'ankle'),
        )
    },
}
_SIDES = {'left': 'left', 'l': 'left', 'right': 'right', 'r': 'right'}
_WORD = re.compile(r'[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+')
_GLUED = re.compile('(left|right)([a-z]+)')


@dataclass(frozen=True)
class SkeletonLayout:
    """Names and structure of the V joints of a skeleton.

    Args:
        name: Name of the layout.
        joints: Joint names in the order of the data.
        edges: Bones as (child, parent) joint indices. They form a tree, or a forest
            where a source leaves joints without a bone.
        parts: Joint indices of torso, left_arm, right_arm, left_leg and right_leg.
            Every joint belongs to exactly one part.
        left_right: Pairs of (left, right) joints that a mirror image swaps.
        center: The joint that the body is centred on.
        spine: (bottom, top) joints of a line up the body, None where the layout has
            none. This is ``zaxis`` of MMAction2's ``PreNormalize3D``.
        shoulders: (right, left) shoulder, its ``xaxis``, None where there are none.
        hips: (right, left) hip, None where there are none.

    Raises:
        ValueError: The fields contradict each other.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    parts: dict[str, tuple[int, ...]]
    left_right: tuple[tuple[int, int], ...]
    center: int
    spine: tuple[int, int] | None = None
    shoulders: tuple[int, int] | None = None
    hips: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        # A config hands over lists.
        for field in ('edges', 'left_right'):
            value = tuple(tuple(pair) for pair in getattr(self, field))
            object.__setattr__(self, field, value)
        for field in ('joints', 'spine', 'shoulders', 'hips'):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, tuple(getattr(self, field)))
        parts = {part: tuple(joints) for part, joints in self.parts.items()}
        object.__setattr__(self, 'parts', parts)
        self._check()

    @property
    def line_up(self) -> tuple[list[int], list[int]] | None:
        """Joints whose means are the lower and the upper end of a line up the body.

        The ends of the spine, or else hips and shoulders; None where there are neither.
        """
        if self.spine:
            bottom, top = self.spine
            return [bottom], [top]
        if self.hips and self.shoulders:
            return list(self.hips), list(self.shoulders)
        return None

    def graph(self) -> dict:
        """The ``layout`` of ``graph_cfg`` for the graph networks of MMAction2."""
        return dict(
            num_node=self.num_joints, inward=list(self.edges), center=self.center
        )

    def _check(self) -> None:
        if len(set(self.joints)) != len(self.joints):
            raise ValueError(f'Layout {self.name!r}: a joint name occurs twice.')
        if set(self.parts) != set(PARTS):
            raise ValueError(
                f'Layout {self.name!r}: parts must be {PARTS}, not {tuple(self.parts)}.'
            )
        members = sorted(joint for part in self.parts.values() for joint in part)
        if members != list(range(self.num_joints)):
            raise ValueError(
                f'Layout {self.name!r}: parts must hold each of the joints 0 to '
                f'{self.num_joints - 1} once, but hold {members}.'
            )
        axes = tuple(x for x in (self.spine, self.shoulders, self.hips) if x)
        for pair in (*self.edges, *self.left_right, *axes, (self.center, 0)):
            if len(pair) != 2 or not all(0 <= j < self.num_joints for j in pair):
                raise ValueError(
                    f'Layout {self.name!r}: {pair} must be two joint indices from 0 to '
                    f'{self.num_joints - 1}.'
                )
        parents = dict(self.edges)
        if len(parents) != len(self.edges):
            raise ValueError(f'Layout {self.name!r}: a joint has two parents.')
        for joint in parents:
            seen = {joint}
            while (joint := parents.get(joint)) is not None:
                if joint in seen:
                    raise ValueError(
                        f'Layout {self.name!r}: edges close a circle at '
                        f'{self.joints[joint]!r}.'
                    )
                seen.add(joint)

    @property
    def num_joints(self) -> int:
        """Number of joints V."""
        return len(self.joints)


def _split(name: str) -> tuple[str | None, str]:
    """Side and rest of a joint name: LeftUpLeg, L_UpLeg, up leg (left) are the same.

    Returns:
        ``'left'``, ``'right'`` or None, and the other words, joined by '_'.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    words = [w for word in words for w in _unglue(word)] or [name.lower()]
    for i, word in enumerate(words):
        side, rest = _SIDES.get(word), words[:i] + words[i + 1 :]
        # The vertebra L5 is no left 5.
        if side and any(other.isalpha() for other in rest):
            return side, '_'.join(rest)
    return None, '_'.join(words)


def _unglue(word: str) -> Sequence[str]:
    """'lefthand' -> 'left', 'hand'."""
    glued = _GLUED.fullmatch(word)
    return glued.groups() if glued else (word,)


def _canonical_index(joints: Sequence[str]) -> dict[str, int]:
    """Canonical name -> index of the joint that fits it best.

    Joints that the tables do not know, or that another one of the same layout
    displaces, keep the words of their own names.
    """
    own = {}
    for index, name in enumerate(joints):
        own.setdefault(_split(name), index)
    canonical = {
        f'{side}_{stem}' if side else stem: index for (side, stem), index in own.items()
    }
    for side in (None, 'left', 'right'):
        for stem, others in (_SIDE_SYNONYMS if side else _MIDDLE_SYNONYMS).items():
            for other in (stem, *others):
                if (side, other) in own:
                    key = f'{side}_{stem}' if side else stem
                    canonical[key] = own[side, other]
                    break
    return canonical


def _parts_of(joints: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Sorts joints into body parts by the words in their names.

    Joints of no limb (head, spine, face) belong to the torso.
    """
    parts = {part: [] for part in PARTS}
    for index, name in enumerate(joints):
        side, word = _split(name)
        if side and any(leg in word for leg in _LEG_WORDS):
            parts[f'{side}_leg'].append(index)
        elif side and any(arm in word for arm in _ARM_WORDS):
            parts[f'{side}_arm'].append(index)
        else:
            parts['torso'].append(index)
    return {part: tuple(indices) for part, indices in parts.items()}


def _pairs_of(name: str, joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """(left, right) joints whose names differ in the side alone.

    Raises:
        ValueError: A joint of one side has none on the other.
    """
    sides = {'left': {}, 'right': {}, None: {}}
    for index, joint in enumerate(joints):
        side, stem = _split(joint)
        sides[side][stem] = index
    left, right = sides['left'], sides['right']
    if alone := left.keys() ^ right.keys():
        names = [joints[(left | right)[stem]] for stem in sorted(alone)]
        raise ValueError(
            f'Layout {name!r}: {names} have no counterpart of the same name on the '
            'other side. Correct the names, or give all fields of SkeletonLayout.'
        )
    return tuple((index, right[stem]) for stem, index in left.items())


def _build(
    name: str,
    joints: tuple[str, ...],
    edges: tuple[tuple[int, int], ...],
    center: int,
    spine: tuple[int, int] | None,
    left_right: tuple[tuple[int, int], ...] | None = None,
) -> SkeletonLayout:
    """Makes a layout whose limbs, and sides if not given, follow from its names."""
    index = _canonical_index(joints)

    def right_and_left(stem: str) -> tuple[int, int] | None:
        pair = index.get(f'right_{stem}'), index.get(f'left_{stem}')
        return None if None in pair else pair

    return SkeletonLayout(
        name=name,
        joints=joints,
        edges=edges,
        parts=_parts_of(joints),
        left_right=_pairs_of(name, joints) if left_right is None else left_right,
        center=center,
        spine=spine,
        shoulders=right_and_left('shoulder'),
        hips=right_and_left('hip'),
    )


def _reorder(layout: SkeletonLayout, name: str, *joints: str) -> SkeletonLayout:
    """The same body with its joints in another order."""
    new = {layout.joints.index(joint): i for i, joint in enumerate(joints)}
    return _build(
        name,
        joints,
        edges=tuple((new[child], new[parent]) for child, parent in layout.edges),
        center=new[layout.center],
        spine=tuple(new[joint] for joint in layout.spine),
    )


def _sides(*joints: str) -> tuple[str, ...]:
    """Names of the joints on the left, then the same on the right."""
    return tuple(f'{side}_{joint}' for side in ('left', 'right') for joint in joints)


# fmt: off
_KINECT_V1 = _build(
    'kinect_v1',
    joints=(
        'hip_center', 'spine', 'shoulder_center', 'head',
        *_sides('shoulder', 'elbow', 'wrist', 'hand'),
        *_sides('hip', 'knee', 'ankle', 'foot'),
    ),
    edges=(
        (0, 1), (1, 2), (3, 2), (4, 2), (5, 4), (6, 5), (7, 6), (8, 2),
        (9, 8), (10, 9), (11, 10), (12, 0), (13, 12), (14, 13), (15, 14),
        (16, 0), (17, 16), (18, 17), (19, 18),
    ),
    center=1,
    # The Kinect v1 spine joint lies 5 cm above the hips: too short a line.
    spine=(0, 2),
)
LAYOUTS: dict[str, SkeletonLayout] = {
    layout.name: layout
    for layout in (
        # Kinect v2. Edges as in MMAction2's Graph, centre as in its PreNormalize3D.
        _build(
            'nturgb+d',
            joints=(
                'spine_base', 'spine_mid', 'neck', 'head',
                *_sides('shoulder', 'elbow', 'wrist', 'hand'),
                *_sides('hip', 'knee', 'ankle', 'foot'),
                'spine_shoulder', *_sides('hand_tip', 'thumb'),
            ),
            edges=(
                (0, 1), (1, 20), (2, 20), (3, 2), (4, 20), (5, 4), (6, 5), (7, 6),
                (8, 20), (9, 8), (10, 9), (11, 10), (12, 0), (13, 12), (14, 13),
                (15, 14), (16, 0), (17, 16), (18, 17), (19, 18), (21, 7), (22, 7),
                (23, 11), (24, 11),
            ),
            center=1,
            spine=(0, 1),
        ),
        _KINECT_V1,
        # The orders of UTD-MHAD and of MSR-Action3D. In the latter the joint that moves
        # in the actions of the right hand (high arm wave, draw x) is taken to be the
        # right one.
        _reorder(
            _KINECT_V1, 'kinect_v1_utd_mhad',
            'head', 'shoulder_center', 'spine', 'hip_center',
            *_sides('shoulder', 'elbow', 'wrist', 'hand'),
            *_sides('hip', 'knee', 'ankle', 'foot'),
        ),
        _reorder(
            _KINECT_V1, 'kinect_v1_msr_action3d',
            'left_shoulder', 'right_shoulder', 'shoulder_center', 'spine', 'left_hip',
            'right_hip', 'hip_center', 'left_elbow', 'right_elbow', 'left_wrist',
            'right_wrist', 'left_hand', 'right_hand', 'left_knee', 'right_knee',
            'left_ankle', 'right_ankle', 'left_foot', 'right_foot', 'head',
        ),
        # Edges and centre as in MMAction2's Graph: no joint lies on the spine.
        _build(
            'coco',
            joints=(
                'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
                'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
                'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
                'right_knee', 'left_ankle', 'right_ankle',
            ),
            edges=(
                (15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7),
                (7, 5), (10, 8), (8, 6), (5, 0), (6, 0), (1, 0), (3, 1), (2, 0),
                (4, 2),
            ),
            center=0,
            spine=None,
        ),
        # The COCO model of OpenPose. Order, edges and centre as in MMAction2's Graph.
        _build(
            'openpose',
            joints=(
                'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist',
                'left_shoulder', 'left_elbow', 'left_wrist', 'right_hip', 'right_knee',
                'right_ankle', 'left_hip', 'left_knee', 'left_ankle', 'right_eye',
                'left_eye', 'right_ear', 'left_ear',
            ),
            edges=(
                (4, 3), (3, 2), (7, 6), (6, 5), (13, 12), (12, 11), (10, 9), (9, 8),
                (11, 5), (8, 2), (5, 1), (2, 1), (0, 1), (15, 0), (14, 0), (17, 15),
                (16, 14),
            ),
            center=1,
            spine=None,
        ),
        # BODY_25, the default of OpenPose. Order as in its doc/02_output.md,
        # bones as it draws them.
        _build(
            'openpose_body25',
            joints=(
                'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist',
                'left_shoulder', 'left_elbow', 'left_wrist', 'mid_hip', 'right_hip',
                'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle',
                'right_eye', 'left_eye', 'right_ear', 'left_ear', 'left_big_toe',
                'left_small_toe', 'left_heel', 'right_big_toe', 'right_small_toe',
                'right_heel',
            ),
            edges=(
                (0, 1), (1, 8), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (9, 8),
                (10, 9), (11, 10), (12, 8), (13, 12), (14, 13), (15, 0), (16, 0),
                (17, 15), (18, 16), (19, 14), (20, 19), (21, 14), (22, 11), (23, 22),
                (24, 11),
            ),
            center=8,
            spine=(8, 1),
        ),
        # Human3.6M in the order of mmpose.
        _build(
            'h36m',
            joints=(
                'root', 'right_hip', 'right_knee', 'right_foot', 'left_hip',
                'left_knee', 'left_foot', 'spine', 'thorax', 'neck_base', 'head',
                'left_shoulder', 'left_elbow', 'left_wrist', 'right_shoulder',
                'right_elbow', 'right_wrist',
            ),
            edges=(
                (1, 0), (2, 1), (3, 2), (4, 0), (5, 4), (6, 5), (7, 0), (8, 7),
                (9, 8), (10, 9), (11, 8), (12, 11), (13, 12), (14, 8), (15, 14),
                (16, 15),
            ),
            center=0,
            spine=(0, 7),
        ),
        # SBU Kinect Interaction.
        _build(
            'sbu',
            joints=(
                'head', 'neck', 'torso', *_sides('shoulder', 'elbow', 'hand'),
                *_sides('hip', 'knee', 'foot'),
            ),
            edges=(
                (0, 1), (1, 2), (3, 1), (4, 3), (5, 4), (6, 1), (7, 6), (8, 7),
                (9, 2), (10, 9), (11, 10), (12, 2), (13, 12), (14, 13),
            ),
            center=2,
            spine=(2, 1),
        ),
    )
}
# fmt: on


def from_mmpose(metainfo: Mapping) -> SkeletonLayout:
    """Reads a layout from the ``dataset_info`` of an mmpose dataset.

    Links that would close a circle (shoulder to shoulder, hip to hip) are left out of
    ``edges``, because edges are a tree. Joints that mmpose links to nothing, such as
    the points of a face, stay without an edge.

    Args:
        metainfo: ``dataset_info`` with ``dataset_name``, ``keypoint_info`` and
            ``skeleton_info``.

    Raises:
        KeyError: A required key is missing.
    """
    for key in ('dataset_name', 'keypoint_info', 'skeleton_info'):
        if key not in metainfo:
            raise KeyError(
                f'mmpose dataset_info has no {key!r}; it has {sorted(metainfo)}.'
            )
    points = sorted(metainfo['keypoint_info'].values(), key=lambda point: point['id'])
    joints = tuple(point['name'] for point in points)
    index = {joint: i for i, joint in enumerate(joints)}

    pairs = [
        (i, index[point['swap']])
        for i, point in enumerate(points)
        if point['swap'] and index[point['swap']] > i
    ]
    links = [
        tuple(index[joint] for joint in info['link'])
        for info in metainfo['skeleton_info'].values()
    ]
    return _derive(
        metainfo['dataset_name'],
        joints,
        links,
        tuple((b, a) if _split(joints[b])[0] == 'left' else (a, b) for a, b in pairs),
    )


def layout_from_joints(
    name: str,
    joints: Sequence[str],
    edges: Sequence[Sequence[str | int]],
    center: str | int | None = None,
) -> SkeletonLayout:
    """Derives a layout from joint names and bones alone.

    Sides are found by left or right, l or r in the name (``left_hip``, ``LeftHip``,
    ``hip.L``), body parts, centre, spine, shoulders and hips by what joints are
    commonly called. Bones point towards the centre.

    Args:
        name: Name of the layout.
        joints: Joint names in the order of the data.
        edges: Bones as pairs of joint names or of indices from 0, in any direction.
            Those that would close a circle are left out.
        center: Name or index of the centre, which alignment puts at the origin. By
            default the lowest joint on the midline (pelvis, spine, chest, shoulder
            centre, neck), else joint 0. Where the hips are seldom seen, take the neck.

    Raises:
        ValueError: An edge does not join two of the joints, ``center`` is none of
            them, a name occurs twice, or a joint of one side has no counterpart on
            the other.
    """
    joints = tuple(joints)
    if not joints or not all(isinstance(joint, str) for joint in joints):
        raise ValueError(f'Layout {name!r}: joints must be names, not {joints}.')
    known = {joint: i for i, joint in enumerate(joints)}
    known |= {i: i for i in range(len(joints))}
    links = [tuple(known.get(end) for end in edge) for edge in edges]
    for edge, link in zip(edges, links, strict=True):
        if len(link) != 2 or None in link:
            raise ValueError(
                f'Layout {name!r}: edge {tuple(edge)} must be two of the names '
                f'{joints}, or two of their indices from 0 to {len(joints) - 1}.'
            )
    if center is not None and center not in known:
        raise ValueError(
            f'Layout {name!r}: center={center!r} must be one of the names {joints}, or '
            f'of their indices from 0 to {len(joints) - 1}.'
        )
    return _derive(name, joints, links, None, known.get(center))


def _derive(
    name: str,
    joints: tuple[str, ...],
    links: Sequence[tuple[int, int]],
    left_right: tuple[tuple[int, int], ...] | None,
    center: int | None = None,
) -> SkeletonLayout:
    """A layout from joints and undirected links; what is left follows from names."""
    index = _canonical_index(joints)
    upwards = ('pelvis', 'spine', 'spine_chest', 'shoulder_center', 'neck')
    middle = [index[joint] for joint in upwards if joint in index]
    if center is None:
        center = middle[0] if middle else 0
    return _build(
        name,
        joints,
        edges=_spanning_forest(len(joints), links, center),
        center=center,
        spine=tuple(middle[:2]) if len(middle) > 1 else None,
        left_right=left_right,
    )


def _spanning_forest(
    num_joints: int, links: Sequence[tuple[int, int]], root: int
) -> tuple[tuple[int, int], ...]:
    """(child, parent) of a breadth-first walk from ``root``, then from what is left."""
    neighbours = {joint: [] for joint in range(num_joints)}
    for a, b in links:
        neighbours[a].append(b)
        neighbours[b].append(a)
    edges, seen = [], set()
    for start in (root, *range(num_joints)):
        if start in seen:
            continue
        seen.add(start)
        queue = [start]
        for parent in queue:
            for child in neighbours[parent]:
                if child not in seen:
                    seen.add(child)
                    queue.append(child)
                    edges.append((child, parent))
    return tuple(edges)


def get_layout(layout: str | Mapping | SkeletonLayout) -> SkeletonLayout:
    """Returns the layout that a config names or describes.

    Args:
        layout: Name of a known layout, an mmpose ``dataset_info``, or a dict with the
            fields of :class:`SkeletonLayout`, or with ``name``, ``joints``, ``edges``
            and perhaps ``center`` alone, as :func:`layout_from_joints` takes them.

    Raises:
        KeyError: No layout has this name.
        ValueError: The fields of a dict are unknown, missing or contradictory.
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, Mapping):
        if 'keypoint_info' in layout:
            return from_mmpose(layout)
        if set(layout) - {'center'} == {'name', 'joints', 'edges'}:
            return layout_from_joints(**layout)
        known = {field.name for field in fields(SkeletonLayout)}
        required = known - {'spine', 'shoulders', 'hips'}
        if not required <= set(layout) <= known:
            raise ValueError(
                f'A layout has the fields {sorted(known)}, of which '
                f'{sorted(required)} are required, or name, joints, edges and perhaps '
                f'center alone, but got {sorted(layout)}.'
            )
        return SkeletonLayout(**layout)
    if layout not in LAYOUTS:
        raise KeyError(
            f'Unknown layout {layout!r}. Known: {sorted(LAYOUTS)}. Any other can be '
            'given as an mmpose dataset_info or a dict of SkeletonLayout fields.'
        )
    return LAYOUTS[layout]


def read_layout(layout: str | Mapping | SkeletonLayout) -> SkeletonLayout:
    """Reads the layout that an option names, or that code describes.

    Args:
        layout: Name of a known layout, or path of a .json file with what
            :func:`get_layout` takes, or that itself. {"joints": names in the order of
            the data, "edges": pairs of names or of indices} is enough: what else there
            is to know follows from the names.

    Raises:
        ValueError: No layout has this name, or the file describes none.
        OSError: The file cannot be read.
    """
    if not isinstance(layout, str):
        return get_layout(layout)
    if not layout.endswith('.json'):
        if layout not in LAYOUTS:
            raise ValueError(
                f'layout {layout!r} is unknown. Known: {sorted(LAYOUTS)}. For any '
                'other give a .json file with "joints" (names) and "edges" (pairs).'
            )
        return LAYOUTS[layout]
    try:
        # Editors of Windows begin a file with a mark.
        content = json.loads(Path(layout).read_text(encoding='utf-8-sig'))
        if not isinstance(content, dict):
            raise ValueError(f'expected a dict, found a {type(content).__name__}')
        return get_layout({'name': Path(layout).stem, **content})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{layout} describes no layout: {error}') from error


def points_down(keypoint: np.ndarray, layout: SkeletonLayout) -> bool:
    """Whether y points down: the upper end of the first body is below the lower.

    Of the frames that have the joints of ``line_up`` the median counts. Always False in
    2-D, and of a layout without such a line.

    Args:
        keypoint: Joints of a clip, (M, T, V, C).
        layout: Their layout.
    """
    if layout.line_up is None or keypoint.shape[3] != 3:
        return False
    low, high = layout.line_up
    joints = keypoint[0][:, [*low, *high]]  # (T, joints, 3)
    y = joints[seen_joints(joints).all(axis=1), :, 1]
    if not len(y):
        return False
    heights = y[:, len(low) :].mean(1) - y[:, : len(low)].mean(1)
    return bool(np.median(heights) < 0)


def differing_joint(a: SkeletonLayout, b: SkeletonLayout) -> int | None:
    """First index at which two layouts mean another joint, by any of its names.

    None where they have the same joints in the same order. The longer of two that
    agree otherwise differs where the shorter ends.
    """
    first, second = (
        {index: name for name, index in _canonical_index(layout.joints).items()}
        for layout in (a, b)
    )
    for index in range(max(a.num_joints, b.num_joints)):
        same_name = a.joints[index : index + 1] == b.joints[index : index + 1]
        if not same_name and first.get(index) != second.get(index):
            return index
    return None


def layouts_of(
    pipeline: Compose,
) -> tuple[SkeletonLayout | None, SkeletonLayout | None]:
    """Layouts that the first transform takes in and the last one gives out."""
    taken, given = [], []
    for transform in pipeline.transforms:
        layout = getattr(transform, 'layout', None)
        taken.append(getattr(transform, 'source', layout))
        given.append(getattr(transform, 'target', layout))
    taken, given = (
        [layout for layout in layouts if isinstance(layout, SkeletonLayout)]
        for layouts in (taken, given)
    )
    return (taken[0], given[-1]) if taken else (None, None)


def map_layout(
    source: str | Mapping | SkeletonLayout, target: str | Mapping | SkeletonLayout
) -> tuple[np.ndarray, dict[str, str]]:
    """How the joints of one layout are made of those of another.

    Joints are the same by name, or by the names that sources commonly give to one
    joint (``root``, ``hip_center`` and ``pelvis``). What the source lacks is the mean
    of joints around it (pelvis of the hips, spine of pelvis and shoulder centre), or
    the nearest joint (wrist for hand, ankle for foot, nose for head). What is not the
    same is logged, once a run. Names decide, not places: Human3.6M calls its ankles
    feet.

    Args:
        source: The layout of the data, as taken by :func:`get_layout`.
        target: The layout that is wanted.

    Returns:
        Weights W, float32 (V_target, V_source), rows that sum to 1, such that
        ``W @ keypoint`` has the joints of the target; and for each target joint
        ``'same'``, ``'interpolated from a, b'`` or ``'nearest: a'``.

    Raises:
        ValueError: A target joint has no counterpart in the source.
    """
    source, target = get_layout(source), get_layout(target)
    names = {index: key for key, index in _canonical_index(target.joints).items()}
    weights = np.zeros((target.num_joints, source.num_joints), dtype=np.float32)
    report = {}
    for row, joint in enumerate(target.joints):
        if joint in source.joints:
            weights[row, source.joints.index(joint)] = 1
            report[joint] = 'same'
            continue
        made = _make_joint(names.get(row, joint), source)
        if made is None:
            raise ValueError(
                f'{joint!r} of layout {target.name!r} cannot be made of the joints '
                f'of layout {source.name!r}, {source.joints}. Take it out of the '
                'target, or rename the source joint that comes closest.'
            )
        kind, weights[row] = made
        used = ', '.join(source.joints[i] for i in weights[row].nonzero()[0])
        report[joint] = kind if kind == 'same' else f'{kind} {used}'
    other = '; '.join(f'{j}, {how}' for j, how in report.items() if how != 'same')
    if other:
        # The one level at which MMEngine's logger prints a message once.
        print_log(
            f'Joints of {target.name!r} that {source.name!r} lacks: {other}.',
            logger='current',
            level=logging.WARNING,
        )
    return weights, report


def _make_joint(
    joint: str, source: SkeletonLayout, tried: tuple[str, ...] = ()
) -> tuple[str, np.ndarray] | None:
    """Kind and weights (V_source,) of a canonical joint, None if there is no way."""
    index = _canonical_index(source.joints).get(joint)
    if index is not None:
        return 'same', np.eye(source.num_joints, dtype=np.float32)[index]
    for others in _STAND_INS.get(joint, ()):
        if set(others) & set(tried):
            continue
        made = [_make_joint(other, source, (*tried, joint)) for other in others]
        if None not in made:
            weights = np.mean([row for _, row in made], axis=0)
            kind = 'nearest:' if weights.max() == 1 else 'interpolated from'
            return kind, weights
    return None
