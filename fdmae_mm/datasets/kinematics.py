"""A body of 25 joints that is moved by joint angles (forward kinematics).

Axes of a body, and of the world: x to its right, y up, z backwards, in metres. A body
with yaw 0 faces -z. Angles are in degrees. Sides are ordered left, right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Joint: (parent, body frame that carries the bone, bone in the frame of a body of
# 1.75 m that stands with hanging arms). Parents come before children. Proportions are
# those that a Kinect v2 reports: its hips lie low and close together.
_BONES = {
    1: (0, 'lower_trunk', (0.0, 0.29, 0.0)),
    20: (1, 'upper_trunk', (0.0, 0.24, 0.0)),
    2: (20, 'upper_trunk', (0.0, 0.07, 0.0)),
    3: (2, 'head', (0.0, 0.15, -0.02)),
}
for _side, _sign, _arm, _hand, _leg in (
    ('left', -1, 4, 21, 12),
    ('right', 1, 8, 23, 16),
):
    _BONES |= {
        _arm: (20, 'upper_trunk', (_sign * 0.17, -0.04, 0.0)),
        _arm + 1: (_arm, f'{_side}_upper_arm', (0.0, -0.28, 0.0)),
        _arm + 2: (_arm + 1, f'{_side}_forearm', (0.0, -0.25, 0.0)),
        _arm + 3: (_arm + 2, f'{_side}_forearm', (0.0, -0.08, 0.0)),
        _hand: (_arm + 3, f'{_side}_forearm', (0.0, -0.08, 0.0)),
        _hand + 1: (_arm + 3, f'{_side}_forearm', (-_sign * 0.02, -0.03, -0.05)),
        _leg: (0, 'pelvis', (_sign * 0.08, -0.03, 0.0)),
        _leg + 1: (_leg, f'{_side}_thigh', (0.0, -0.42, 0.0)),
        _leg + 2: (_leg + 1, f'{_side}_shank', (0.0, -0.40, 0.0)),
        _leg + 3: (_leg + 2, f'{_side}_foot', (0.0, -0.06, -0.11)),
    }
_FRAMES = tuple(dict.fromkeys(frame for _, frame, _ in _BONES.values()))
_CHILDREN = np.array(list(_BONES))
_FRAME_OF_CHILD = np.array([_FRAMES.index(frame) for _, frame, _ in _BONES.values()])

NUM_JOINTS = len(_BONES) + 1
ANKLES = (14, 18)
_FEET = (14, 15, 18, 19)
# Bones that one scale stretches together, left and right alike.
_BONE_GROUPS = (
    (1, 20),
    (2, 3),
    (4, 8),
    (5, 9),
    (6, 10),
    (7, 11, 21, 22, 23, 24),
    (12, 16),
    (13, 17),
    (14, 18),
    (15, 19),
)


def draw_bones(rng: np.random.Generator, height: float) -> np.ndarray:
    """Draws the bones of one person, with limbs up to about 10 % off the average.

    Args:
        rng: Source of the proportions.
        height: In metres.

    Returns:
        Bone vectors (24, 3) in the order that :func:`move` takes.
    """
    bones = np.array([bone for _, _, bone in _BONES.values()]) * height / 1.75
    for group in _BONE_GROUPS:
        bones[np.isin(_CHILDREN, group)] *= np.clip(rng.normal(1, 0.05), 0.9, 1.1)
    return bones


@dataclass
class Pose:
    """Joint angles of one person over T frames, in degrees.

    Attributes:
        yaw: (T,) turn of the whole body to its left.
        lean: (T,) trunk forwards.
        bend: (T,) trunk to the left.
        twist: (T,) trunk to the left against the pelvis.
        nod: (T,) head forwards.
        look: (T,) head to the left.
        arms: (T, 2, 4) plane of elevation (0 forwards, 90 sideways), elevation (0
            hanging, 90 horizontal), turn of the upper arm inwards, flexion of the
            elbow.
        legs: (T, 2, 3) hip forwards, hip sideways, flexion of the knee.
        travel: (T, 3) metres that the body moves in the world.
        planted: Sides whose feet stay on their place. None: the pelvis does.
    """

    yaw: np.ndarray
    lean: np.ndarray
    bend: np.ndarray
    twist: np.ndarray
    nod: np.ndarray
    look: np.ndarray
    arms: np.ndarray
    legs: np.ndarray
    travel: np.ndarray
    planted: tuple[int, ...] = (0, 1)

    @classmethod
    def upright(cls, num_frames: int) -> Pose:
        """A body at attention for ``num_frames``."""
        angles = (np.zeros(num_frames) for _ in range(6))
        return cls(
            *angles,
            arms=np.zeros((num_frames, 2, 4)),
            legs=np.zeros((num_frames, 2, 3)),
            travel=np.zeros((num_frames, 3)),
        )


def rotation(axis: int, degrees: np.ndarray) -> np.ndarray:
    """Rotations about one axis (0 x, 1 y, 2 z): (...) -> (..., 3, 3)."""
    radians = np.deg2rad(degrees)
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    matrix = np.zeros((*radians.shape, 3, 3))
    matrix[..., axis, axis] = 1
    matrix[..., i, i] = matrix[..., j, j] = np.cos(radians)
    matrix[..., j, i] = np.sin(radians)
    matrix[..., i, j] = -matrix[..., j, i]
    return matrix


def _frames(pose: Pose) -> np.ndarray:
    """Orientation of each body segment in the world, (F, T, 3, 3)."""
    outwards = np.array([-1.0, 1.0])  # left, right: from the body's middle along x
    pelvis = rotation(1, pose.yaw)
    half_lean = rotation(0, -pose.lean / 2) @ rotation(2, pose.bend / 2)
    lower = pelvis @ half_lean
    upper = lower @ half_lean @ rotation(1, pose.twist)
    head = upper @ rotation(1, pose.look) @ rotation(0, -pose.nod)

    plane, elevation, inwards, elbow = np.moveaxis(pose.arms, -1, 0)  # (T, 2) each
    swing = (
        rotation(1, -outwards * plane)
        @ rotation(0, elevation)
        @ rotation(1, outwards * (plane + inwards))
    )
    upper_arm = upper[:, None] @ swing  # (T, 2, 3, 3)
    forearm = upper_arm @ rotation(0, elbow)

    hip, abduction, knee = np.moveaxis(pose.legs, -1, 0)
    thigh = pelvis[:, None] @ rotation(2, outwards * abduction) @ rotation(0, hip)
    shank = thigh @ rotation(0, -knee)
    foot = shank @ rotation(0, 0.8 * (knee - hip))  # the sole stays nearly level

    frames = {
        'pelvis': pelvis,
        'lower_trunk': lower,
        'upper_trunk': upper,
        'head': head,
    }
    limbs = {
        'upper_arm': upper_arm,
        'forearm': forearm,
        'thigh': thigh,
        'shank': shank,
        'foot': foot,
    }
    for name, limb in limbs.items():
        frames[f'left_{name}'], frames[f'right_{name}'] = limb[:, 0], limb[:, 1]
    return np.stack([frames[name] for name in _FRAMES])


def move(bones: np.ndarray, pose: Pose) -> np.ndarray:
    """Joint positions of a body in a pose, its lower foot on the floor y = 0.

    Args:
        bones: (24, 3) from :func:`draw_bones`.
        pose: Angles over T frames.

    Returns:
        Positions (T, 25, 3) in the joint order of NTU RGB+D.
    """
    frames = _frames(pose)[_FRAME_OF_CHILD]  # (24, T, 3, 3)
    vectors = np.einsum('jtab,jb->tja', frames, bones)
    joints = np.zeros((len(vectors), NUM_JOINTS, 3))
    for i, (child, (parent, _, _)) in enumerate(_BONES.items()):
        joints[:, child] = joints[:, parent] + vectors[:, i]
    shift = pose.travel.copy()
    shift[:, 1] -= joints[:, _FEET, 1].min(axis=1)
    if pose.planted:
        ankles = [ANKLES[side] for side in pose.planted]
        shift[:, [0, 2]] -= joints[:, ankles][..., [0, 2]].mean(axis=1)
    return joints + shift[:, None]
