"""Skeleton layouts: what each joint index means.

A layout is needed wherever code must know the body and not only V: drawing, left-right
flip, view alignment, masking of body parts, bones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

PARTS = ('torso', 'left_arm', 'right_arm', 'left_leg', 'right_leg')

_ARM_WORDS = ('shoulder', 'elbow', 'wrist', 'hand', 'arm', 'finger', 'thumb')
_LEG_WORDS = ('hip', 'knee', 'ankle', 'foot', 'leg', 'toe', 'heel')
# From the pelvis upwards: where the names that other layouts use for it stand.
_MIDLINE = (
    ('pelvis', 'root', 'hip_center', 'hip', 'mid_hip', 'bottom_torso'),
    ('spine', 'torso', 'upper_torso', 'thorax', 'neck', 'upper_neck'),
)


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


def _side_of(name: str) -> str | None:
    """'left', 'right' or None."""
    for side in ('left', 'right'):
        if name.lower().startswith((side, f'{side[0]}_')):
            return side
    return None


def _parts_of(joints: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Sorts joints into body parts by the words in their names.

    Joints of no limb (head, spine, face) belong to the torso.
    """
    parts = {part: [] for part in PARTS}
    for index, name in enumerate(joints):
        side, word = _side_of(name), name.lower()
        if side and any(leg in word for leg in _LEG_WORDS):
            parts[f'{side}_leg'].append(index)
        elif side and any(arm in word for arm in _ARM_WORDS):
            parts[f'{side}_arm'].append(index)
        else:
            parts['torso'].append(index)
    return {part: tuple(indices) for part, indices in parts.items()}


def _build(
    name: str,
    joints: tuple[str, ...],
    edges: tuple[tuple[int, int], ...],
    center: int,
    spine: tuple[int, int] | None,
) -> SkeletonLayout:
    """Makes a layout whose sides and limbs follow from its ``left_*`` names."""
    index = {joint: i for i, joint in enumerate(joints)}
    return SkeletonLayout(
        name=name,
        joints=joints,
        edges=edges,
        parts=_parts_of(joints),
        left_right=tuple(
            (i, index[joint.replace('left', 'right', 1)])
            for joint, i in index.items()
            if joint.startswith('left')
        ),
        center=center,
        spine=spine,
        shoulders=(index['right_shoulder'], index['left_shoulder']),
        hips=(index['right_hip'], index['left_hip']),
    )


def _sides(*joints: str) -> tuple[str, ...]:
    """Names of the joints on the left, then the same on the right."""
    return tuple(f'{side}_{joint}' for side in ('left', 'right') for joint in joints)


# fmt: off
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
        _build(
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

    middle = [
        next((index[word] for word in words if word in index), None)
        for words in _MIDLINE
    ]
    center = next((joint for joint in middle if joint is not None), 0)
    pairs = [
        (i, index[point['swap']])
        for i, point in enumerate(points)
        if point['swap'] and index[point['swap']] > i
    ]
    left_right = tuple(
        (b, a) if _side_of(joints[b]) == 'left' else (a, b) for a, b in pairs
    )
    links = [
        tuple(index[joint] for joint in info['link'])
        for info in metainfo['skeleton_info'].values()
    ]

    def pair_of(word: str) -> tuple[int, int] | None:
        names = [
            next(
                (
                    index[n]
                    for n in (f'{side}_{word}', f'{side[0].upper()}_{word}')
                    if n in index
                ),
                None,
            )
            for side in ('right', 'left')
        ]
        return None if None in names else tuple(names)

    return SkeletonLayout(
        name=metainfo['dataset_name'],
        joints=joints,
        edges=_spanning_forest(len(joints), links, center),
        parts=_parts_of(joints),
        left_right=left_right,
        center=center,
        spine=None if None in middle else tuple(middle),
        shoulders=pair_of('shoulder'),
        hips=pair_of('hip'),
    )


def _spanning_forest(
    num_joints: int, links: list[tuple[int, int]], root: int
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
            fields of :class:`SkeletonLayout`.

    Raises:
        KeyError: No layout has this name.
        ValueError: The fields of a dict are unknown, missing or contradictory.
    """
    if isinstance(layout, SkeletonLayout):
        return layout
    if isinstance(layout, Mapping):
        if 'keypoint_info' in layout:
            return from_mmpose(layout)
        known = {field.name for field in fields(SkeletonLayout)}
        required = known - {'spine', 'shoulders', 'hips'}
        if not required <= set(layout) <= known:
            raise ValueError(
                f'A layout has the fields {sorted(known)}, of which '
                f'{sorted(required)} are required, but got {sorted(layout)}.'
            )
        return SkeletonLayout(**layout)
    if layout not in LAYOUTS:
        raise KeyError(
            f'Unknown layout {layout!r}. Known: {sorted(LAYOUTS)}. Any other can be '
            'given as an mmpose dataset_info or a dict of SkeletonLayout fields.'
        )
    return LAYOUTS[layout]
