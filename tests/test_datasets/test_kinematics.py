import numpy as np
import pytest

from fdmae_mm.datasets.kinematics import Pose, draw_bones, move, rotation
from fdmae_mm.datasets.layouts import get_layout

LEFT, RIGHT = 0, 1
J = {name: i for i, name in enumerate(get_layout('nturgb+d').joints)}


@pytest.fixture
def bones():
    return draw_bones(np.random.default_rng(0), height=1.75)


def test_rotation_about_each_axis():
    x, y, z = np.eye(3)
    assert np.allclose(rotation(0, np.array(90.0)) @ y, z)
    assert np.allclose(rotation(1, np.array(90.0)) @ z, x)
    assert np.allclose(rotation(2, np.array(90.0)) @ x, y)


def test_upright_body(bones):
    joints = move(bones, Pose.upright(1))[0]
    assert joints[:, 1].min() == 0
    assert 1.4 < joints[J['head'], 1] < 1.9
    assert joints[J['right_shoulder'], 0] > 0 > joints[J['left_shoulder'], 0]
    assert joints[J['left_hand'], 1] < joints[J['spine_base'], 1]
    mirrored = joints * (-1, 1, 1)
    for left, right in get_layout('nturgb+d').left_right:
        assert np.allclose(mirrored[left], joints[right])


def test_arms_go_where_the_angles_say(bones):
    pose = Pose.upright(3)
    pose.arms[0, RIGHT, :2] = (0, 90)  # forwards
    pose.arms[1, RIGHT, :2] = (90, 90)  # sideways
    pose.arms[2, LEFT, 3] = 90  # the forearm alone, forwards
    joints = move(bones, pose)
    arm = joints[:, J['right_wrist']] - joints[:, J['right_shoulder']]
    length = np.linalg.norm(arm[0])
    assert np.allclose(arm[0], (0, 0, -length))
    assert np.allclose(arm[1], (length, 0, 0))
    forearm = joints[2, J['left_wrist']] - joints[2, J['left_elbow']]
    assert np.allclose(forearm, (0, 0, -np.linalg.norm(forearm)))


def test_turning_inwards_brings_the_forearms_together(bones):
    pose = Pose.upright(1)
    pose.arms[..., 3] = 90
    pose.arms[..., 2] = 90
    joints = move(bones, pose)[0]
    assert joints[J['right_wrist'], 0] < joints[J['right_elbow'], 0]
    assert joints[J['left_wrist'], 0] > joints[J['left_elbow'], 0]


def test_trunk_goes_where_the_angles_say(bones):
    pose = Pose.upright(4)
    pose.lean[0], pose.bend[1], pose.yaw[2], pose.twist[3] = 30, 20, 90, 40
    joints = move(bones, pose)
    trunk = joints[:, J['spine_shoulder']] - joints[:, J['spine_base']]
    assert trunk[0, 2] < -0.1 and trunk[1, 0] < -0.1
    shoulders = joints[:, J['right_shoulder']] - joints[:, J['left_shoulder']]
    assert np.allclose(shoulders[2], (0, 0, -np.linalg.norm(shoulders[2])))
    assert shoulders[3, 2] < -0.1


def test_head_goes_where_the_angles_say(bones):
    pose = Pose.upright(3)
    pose.nod[1], pose.look[2] = 30, 90
    joints = move(bones, pose)
    head = joints[:, J['head']] - joints[:, J['neck']]
    _, up, back = head[0]  # the face is in front of the neck
    assert up > 0 > back
    assert np.allclose(head[1], rotation(0, np.array(-30.0)) @ head[0])
    assert head[1, 2] < back - 0.05
    assert np.allclose(head[2], (back, up, 0))


def test_legs_go_where_the_angles_say(bones):
    pose = Pose.upright(3)
    pose.legs[1, :, 1] = 30  # both sideways
    pose.legs[2] = (60, 0, 20)
    joints = move(bones, pose)
    for side, sign in (('left', -1), ('right', 1)):
        thigh = joints[:, J[f'{side}_knee']] - joints[:, J[f'{side}_hip']]
        assert sign * thigh[1, 0] > 0.1
        # Turned up by 60 - 20, and of 40 the ankle takes back 0.8.
        foot = joints[:, J[f'{side}_foot']] - joints[:, J[f'{side}_ankle']]
        assert np.allclose(foot[2], rotation(0, np.array(8.0)) @ foot[0])


def test_squat_lowers_the_pelvis_and_keeps_the_feet(bones):
    pose = Pose.upright(2)
    pose.legs[1] = (90, 0, 90)
    joints = move(bones, pose)
    assert joints[1, J['spine_base'], 1] < joints[0, J['spine_base'], 1] - 0.3
    feet = joints[:, [J['left_ankle'], J['right_ankle']]].mean(axis=1)
    assert np.allclose(feet[0, [0, 2]], feet[1, [0, 2]])
    assert np.allclose(joints[..., 1].min(axis=1), 0)


def test_no_pose_stretches_a_bone(bones):
    rng, pose = np.random.default_rng(1), Pose.upright(20)
    for field in ('yaw', 'lean', 'bend', 'twist', 'nod', 'look', 'arms', 'legs'):
        angles = getattr(pose, field)
        angles += rng.uniform(-180, 180, angles.shape)
    joints = move(bones, pose)
    for child, parent in get_layout('nturgb+d').edges:
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
        assert np.allclose(length, length[0])


def test_left_and_right_bones_are_of_one_length(bones):
    joints = move(bones, Pose.upright(1))[0]
    parent = dict(get_layout('nturgb+d').edges)
    for left, right in get_layout('nturgb+d').left_right:
        if left in parent and parent[left] not in (J['spine_base'],):
            lengths = [
                np.linalg.norm(joints[joint] - joints[parent[joint]])
                for joint in (left, right)
            ]
            assert lengths[0] == pytest.approx(lengths[1])
