import numpy as np
import pytest
from mmengine.logging import MMLogger

from fdmae_mm.datasets.layouts import (
    LAYOUTS,
    SkeletonLayout,
    differing_joint,
    from_mmpose,
    get_layout,
    layout_from_joints,
    map_layout,
    points_down,
)

layouts = pytest.mark.parametrize('layout', LAYOUTS.values(), ids=LAYOUTS)

# In the form of mmpose's configs/_base_/datasets: a trunk whose links close a circle,
# and a nose that is linked to nothing.
DATASET_INFO = dict(
    dataset_name='trunk',
    keypoint_info={
        0: dict(name='nose', id=0, color=[0, 0, 0], type='upper', swap=''),
        1: dict(name='left_shoulder', id=1, type='upper', swap='right_shoulder'),
        2: dict(name='right_shoulder', id=2, type='upper', swap='left_shoulder'),
        3: dict(name='right_hip', id=3, type='lower', swap='left_hip'),
        4: dict(name='left_hip', id=4, type='lower', swap='right_hip'),
        5: dict(name='pelvis', id=5, type='lower', swap=''),
        6: dict(name='spine', id=6, type='upper', swap=''),
        7: dict(name='left_hand', id=7, type='upper', swap='right_hand'),
        8: dict(name='right_hand', id=8, type='upper', swap='left_hand'),
    },
    skeleton_info={
        0: dict(link=('pelvis', 'left_hip'), id=0, color=[0, 0, 0]),
        1: dict(link=('pelvis', 'right_hip'), id=1),
        2: dict(link=('left_hip', 'right_hip'), id=2),
        3: dict(link=('spine', 'pelvis'), id=3),
        4: dict(link=('spine', 'left_shoulder'), id=4),
        5: dict(link=('spine', 'right_shoulder'), id=5),
        6: dict(link=('left_shoulder', 'left_hand'), id=6),
        7: dict(link=('right_shoulder', 'right_hand'), id=7),
    },
    joint_weights=[1.0] * 9,
    sigmas=[],
)


@layouts
def test_parts_hold_every_joint_once(layout):
    joints = [joint for part in layout.parts.values() for joint in part]
    assert sorted(joints) == list(range(layout.num_joints))
    assert all(layout.parts.values())


@layouts
def test_edges_are_a_tree_over_all_joints(layout):
    assert len(layout.edges) == layout.num_joints - 1
    reached, frontier = set(), [layout.center]
    while frontier:
        joint = frontier.pop()
        reached.add(joint)
        frontier += [
            b if a == joint else a
            for a, b in layout.edges
            if joint in (a, b) and ({a, b} - {joint}).isdisjoint(reached)
        ]
    assert reached == set(range(layout.num_joints))


@layouts
def test_sides_are_mirrored_names(layout):
    for left, right in layout.left_right:
        assert layout.joints[left].startswith('left_')
        assert layout.joints[right] == layout.joints[left].replace('left', 'right')
    paired = {joint for pair in layout.left_right for joint in pair}
    for index, name in enumerate(layout.joints):
        assert (index in paired) == name.startswith(('left_', 'right_'))


@layouts
def test_axes_are_right_then_left(layout):
    names = [layout.joints[j] for j in layout.shoulders + layout.hips]
    assert names == ['right_shoulder', 'left_shoulder', 'right_hip', 'left_hip']


@pytest.mark.parametrize(
    ('name', 'num_joints'),
    [
        ('nturgb+d', 25),
        ('kinect_v1', 20),
        ('kinect_v1_utd_mhad', 20),
        ('kinect_v1_msr_action3d', 20),
        ('openpose_body25', 25),
        ('openpose', 18),
        ('coco', 17),
        ('h36m', 17),
        ('sbu', 15),
    ],
)
def test_known_layouts(name, num_joints):
    assert get_layout(name).num_joints == num_joints


@pytest.mark.parametrize('name', ['nturgb+d', 'coco', 'openpose'])
def test_edges_are_those_of_the_stock_graph(name):
    from mmaction.models.utils.graph import Graph

    assert set(get_layout(name).edges) == set(Graph(name).inward)


def test_ntu_axes_are_those_of_prenormalize3d():
    from mmaction.datasets.transforms import PreNormalize3D

    layout, transform = get_layout('nturgb+d'), PreNormalize3D()
    assert list(layout.spine) == transform.zaxis
    assert list(layout.shoulders) == transform.xaxis


def test_body25_is_openpose_with_a_middle_of_the_hips_and_feet():
    layout, coco = get_layout('openpose_body25'), get_layout('openpose')
    assert set(coco.joints) < set(layout.joints)
    # Numbers of the picture in OpenPose's doc/02_output.md.
    for number, joint in ((4, 'right_wrist'), (8, 'mid_hip'), (14, 'left_ankle')):
        assert layout.joints[number] == joint
    for number, joint in ((16, 'left_eye'), (19, 'left_big_toe'), (24, 'right_heel')):
        assert layout.joints[number] == joint
    assert layout.parts['torso'] == (0, 1, 8, 15, 16, 17, 18)
    assert layout.parts['left_leg'] == (12, 13, 14, 19, 20, 21)
    assert (19, 22) in layout.left_right


def test_ntu_parts():
    parts = get_layout('nturgb+d').parts
    assert parts['torso'] == (0, 1, 2, 3, 20)
    assert parts['right_arm'] == (8, 9, 10, 11, 23, 24)
    assert parts['left_leg'] == (12, 13, 14, 15)


@pytest.mark.parametrize('name', ['kinect_v1_utd_mhad', 'kinect_v1_msr_action3d'])
def test_orders_of_20_joints_are_one_body(name):
    v1, other = get_layout('kinect_v1'), get_layout(name)

    def named(layout, pairs):
        return {tuple(layout.joints[joint] for joint in pair) for pair in pairs}

    assert sorted(other.joints) == sorted(v1.joints)
    for field in ('edges', 'left_right'):
        found, expected = getattr(other, field), getattr(v1, field)
        assert named(other, found) == named(v1, expected)
    for field in ('spine', 'shoulders', 'hips'):
        found, expected = getattr(other, field), getattr(v1, field)
        assert [other.joints[j] for j in found] == [v1.joints[j] for j in expected]
    assert other.joints[other.center] == v1.joints[v1.center]


def test_msr_action3d_edges_are_those_of_its_skeleton():
    # Its published bones, 1-based, in any direction.
    bones = (
        '7 4, 4 3, 3 20, 3 1, 3 2, 1 8, 2 9, 8 10, 9 11, 10 12, 11 13, '
        '7 5, 7 6, 5 14, 6 15, 14 16, 15 17, 16 18, 17 19'
    )
    bones = {frozenset(int(j) - 1 for j in bone.split()) for bone in bones.split(',')}
    edges = get_layout('kinect_v1_msr_action3d').edges
    assert {frozenset(edge) for edge in edges} == bones


def test_mmpose_dataset_info():
    layout = from_mmpose(DATASET_INFO)
    assert layout.name == 'trunk'
    assert layout.center == 5
    assert layout.spine == (5, 6)
    assert layout.shoulders == (2, 1)
    assert layout.hips == (3, 4)
    assert set(layout.left_right) == {(1, 2), (4, 3), (7, 8)}
    assert layout.parts == dict(
        torso=(0, 5, 6),
        left_arm=(1, 7),
        right_arm=(2, 8),
        left_leg=(4,),
        right_leg=(3,),
    )
    # Seven edges span eight joints: the link from hip to hip closes a circle. The nose
    # has none.
    assert set(layout.edges) == {
        (4, 5),
        (3, 5),
        (6, 5),
        (1, 6),
        (2, 6),
        (7, 1),
        (8, 2),
    }


def test_mmpose_h36m_equals_the_known_layout():
    h36m = get_layout('h36m')

    def swap(name):
        side = {'left': 'right', 'right': 'left'}.get(name.split('_')[0])
        return '_'.join([side, *name.split('_')[1:]]) if side else ''

    layout = from_mmpose(
        dict(
            dataset_name='h36m',
            keypoint_info={
                i: dict(name=name, id=i, swap=swap(name))
                for i, name in enumerate(h36m.joints)
            },
            skeleton_info={
                i: dict(link=(h36m.joints[b], h36m.joints[a]))
                for i, (a, b) in enumerate(h36m.edges)
            },
        )
    )
    assert set(layout.edges) == set(h36m.edges)
    assert set(layout.left_right) == set(h36m.left_right)
    for field in ('joints', 'parts', 'center', 'spine', 'shoulders', 'hips'):
        assert getattr(layout, field) == getattr(h36m, field)


def test_mmpose_without_links_names_the_key():
    info = {key: DATASET_INFO[key] for key in ('dataset_name', 'keypoint_info')}
    with pytest.raises(KeyError, match='skeleton_info'):
        from_mmpose(info)


def test_get_layout_takes_what_a_config_can_hold():
    layout = get_layout('sbu')
    assert get_layout(layout) is layout
    assert get_layout(DATASET_INFO) == from_mmpose(DATASET_INFO)
    lists = dict(
        name='pair',
        joints=['left_hand', 'right_hand'],
        edges=[[0, 1]],
        parts=dict(torso=[], left_arm=[0], right_arm=[1], left_leg=[], right_leg=[]),
        left_right=[[0, 1]],
        center=0,
    )
    assert get_layout(lists).edges == ((0, 1),)
    assert get_layout(lists).spine is None


def test_unknown_name_lists_the_known():
    with pytest.raises(KeyError, match=r'ntu.*kinect_v1'):
        get_layout('ntu')


def test_unknown_field_is_an_error():
    with pytest.raises(ValueError, match='joint_names'):
        get_layout(dict(name='a', joint_names=['b']))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(joints=('a', 'a', 'c')), 'twice'),
        (dict(parts=dict(torso=(0, 1, 2))), 'parts must be'),
        (dict(edges=((0, 3),)), r'\(0, 3\)'),
        (dict(edges=((0, 1), (1, 2), (2, 0))), 'circle'),
        (dict(edges=((0, 1), (0, 2))), 'two parents'),
        (dict(center=3), r'\(3, 0\)'),
    ],
)
def test_contradictory_layout_is_an_error(change, message):
    parts = dict(torso=(0, 1, 2), left_arm=(), right_arm=(), left_leg=(), right_leg=())
    fields = dict(
        name='three',
        joints=('a', 'b', 'c'),
        edges=((1, 0), (2, 1)),
        parts=parts,
        left_right=(),
        center=0,
    )
    SkeletonLayout(**fields)
    with pytest.raises(ValueError, match=message):
        SkeletonLayout(**fields | change)


def test_joint_in_two_parts_is_an_error():
    parts = dict(torso=(0,), left_arm=(0,), right_arm=(), left_leg=(), right_leg=())
    with pytest.raises(ValueError, match='once'):
        SkeletonLayout('one', ('a',), (), parts, (), 0)


# layout_from_joints -------------------------------------------------------------------

# Two spellings of one small body: pelvis, chest, a hand and a knee on each side.
SMALL = ('pelvis', 'chest', 'left_hand', 'right_hand', 'left_knee', 'right_knee')


@pytest.mark.parametrize(
    'joints',
    [
        SMALL,
        ('Hips', 'Thorax', 'LeftHand', 'RightHand', 'LeftLeg', 'RightLeg'),
        ('SPINE_BASE', 'CHEST', 'HAND_LEFT', 'HAND_RIGHT', 'KNEE_LEFT', 'KNEE_RIGHT'),
        ('MidHip', 'upperTorso', 'LHand', 'RHand', 'LKnee', 'RKnee'),
        ('root', 'chest', 'hand.L', 'hand.R', 'knee.L', 'knee.R'),
        ('hip', 'thorax', 'lefthand', 'righthand', 'l_knee', 'r_knee'),
    ],
)
def test_a_layout_follows_from_names_and_edges(joints):
    # In no order or direction; the last closes a circle.
    edges = [(0, 1), (2, 1), (1, 3), (4, 0), (0, 5), (4, 5)]
    layout = layout_from_joints('small', joints, edges)
    assert layout == SkeletonLayout(
        name='small',
        joints=joints,
        edges=((1, 0), (4, 0), (5, 0), (2, 1), (3, 1)),
        parts=dict(
            torso=(0, 1),
            left_arm=(2,),
            right_arm=(3,),
            left_leg=(4,),
            right_leg=(5,),
        ),
        left_right=((2, 3), (4, 5)),
        center=0,
        spine=(0, 1),
    )
    by_name = [[joints[a], joints[b]] for a, b in edges]
    assert get_layout(dict(name='small', joints=joints, edges=by_name)) == layout
    # Another centre: of the upper body, say.
    for center in (1, joints[1]):
        upper = dict(name='small', joints=joints, edges=by_name, center=center)
        assert get_layout(upper).center == 1
        assert (0, 1) in get_layout(upper).edges
        assert get_layout(upper).spine == layout.spine
    with pytest.raises(ValueError, match=r"center='tail' must be one of the names"):
        get_layout(dict(name='small', joints=joints, edges=by_name, center='tail'))


@pytest.mark.parametrize('name', LAYOUTS)
def test_known_layouts_follow_from_their_names(name):
    known = get_layout(name)
    layout = layout_from_joints(name, known.joints, known.edges)
    for field in ('parts', 'left_right', 'shoulders', 'hips'):
        assert getattr(layout, field) == getattr(known, field)
    assert {frozenset(e) for e in layout.edges} == {frozenset(e) for e in known.edges}
    # Not those of Kinect, which follow their first users.
    if name in ('h36m', 'sbu', 'coco', 'openpose', 'openpose_body25'):
        for field in ('center', 'spine'):
            assert getattr(layout, field) == getattr(known, field)
        assert set(layout.edges) == set(known.edges)


def test_bones_that_do_not_reach_the_centre_are_kept():
    joints = ('pelvis', 'spine', 'left_hand', 'right_hand')
    layout = layout_from_joints('apart', joints, [(0, 1), (3, 2)])
    assert layout.edges == ((1, 0), (3, 2))


def test_a_body_points_down_in_most_frames_that_have_its_line():
    layout = get_layout('kinect_v1')
    low, high = layout.spine
    keypoint = np.zeros((1, 4, 20, 3))
    keypoint[0, :, low, 1] = 1
    keypoint[0, :3, high, 1] = 1.5, 1.5, -8  # in the last it was not measured
    assert not points_down(keypoint, layout)
    assert points_down(-keypoint, layout)


def test_the_index_of_a_foot_is_no_finger():
    feet = layout_from_joints('feet', ('left_foot_index', 'right_foot_index'), [])
    assert (feet.parts['left_leg'], feet.parts['right_leg']) == ((0,), (1,))


def test_a_vertebra_has_no_side():
    layout = layout_from_joints('spine', ('L5', 'R1', 'T12'), [('L5', 'T12')])
    assert layout.parts['torso'] == (0, 1, 2)
    assert layout.left_right == ()


@pytest.mark.parametrize(
    ('joints', 'edges', 'message'),
    [
        (SMALL, [(0, 6)], r'edge \(0, 6\)'),
        (SMALL, [(0, -1)], r'edge \(0, -1\)'),
        (SMALL, [('pelvis', 'head')], "'pelvis', 'head'"),
        (SMALL, [(0, 1, 2)], r'edge \(0, 1, 2\)'),
        (SMALL[:-1], [], r"\['left_knee'\] have no counterpart"),
        (('hand', 'hand'), [], 'twice'),
        ((), [], 'must be names'),
        ((1, 2), [], 'must be names'),
    ],
)
def test_joints_that_make_no_layout_are_an_error(joints, edges, message):
    with pytest.raises(ValueError, match=message):
        layout_from_joints('broken', joints, edges)


# map_layout ---------------------------------------------------------------------------

pairs = pytest.mark.parametrize(
    ('source', 'target'), [(a, b) for a in LAYOUTS for b in LAYOUTS]
)


def row(source, target, joint):
    """{source joint: weight} of a target joint."""
    weights, _ = map_layout(source, target)
    weights = weights[get_layout(target).joints.index(joint)]
    names = get_layout(source).joints
    return {names[i]: weights[i] for i in weights.nonzero()[0]}


@pairs
def test_all_known_layouts_map_to_each_other(source, target):
    weights, report = map_layout(source, target)
    source, target = get_layout(source), get_layout(target)
    assert weights.shape == (target.num_joints, source.num_joints)
    assert weights.dtype == np.float32
    assert (weights >= 0).all()
    assert weights.sum(axis=1) == pytest.approx(1)
    assert tuple(report) == target.joints


@pairs
def test_sides_are_never_swapped(source, target):
    weights, _ = map_layout(source, target)
    source, target = get_layout(source), get_layout(target)
    # The image of the mirrored source is the mirrored image.
    mirrored = weights.copy()
    for left, right in target.left_right:
        mirrored[[left, right]] = mirrored[[right, left]]
    for left, right in source.left_right:
        mirrored[:, [left, right]] = mirrored[:, [right, left]]
    assert np.array_equal(mirrored, weights)


@layouts
def test_a_layout_is_mapped_to_itself_by_the_identity(layout):
    weights, report = map_layout(layout, layout)
    assert np.array_equal(weights, np.eye(layout.num_joints))
    assert set(report.values()) == {'same'}


@pytest.mark.parametrize('other', ['kinect_v1_utd_mhad', 'kinect_v1_msr_action3d'])
def test_there_and_back_is_the_identity(other):
    there, _ = map_layout('kinect_v1', other)
    back, _ = map_layout(other, 'kinect_v1')
    assert np.array_equal(back @ there, np.eye(20))
    assert not np.array_equal(there, np.eye(20))


def test_ntu_to_kinect_v1_by_hand():
    weights, report = map_layout('nturgb+d', 'kinect_v1')
    # Spine base, spine mid, spine shoulder, head, and the limbs in their order.
    expected = [0, 1, 20, 3, *range(4, 20)]
    assert np.array_equal(weights, np.eye(25)[expected])
    assert set(report.values()) == {'same'}


def test_kinect_v1_to_ntu_and_back_is_exact():
    there, _ = map_layout('kinect_v1', 'nturgb+d')
    back, _ = map_layout('nturgb+d', 'kinect_v1')
    assert np.array_equal(back @ there, np.eye(20))


def test_what_coco_lacks_by_hand():
    hips, shoulders = ('left_hip', 'right_hip'), ('left_shoulder', 'right_shoulder')
    assert row('coco', 'kinect_v1', 'hip_center') == dict.fromkeys(hips, 0.5)
    assert row('coco', 'kinect_v1', 'shoulder_center') == dict.fromkeys(shoulders, 0.5)
    assert row('coco', 'h36m', 'spine') == dict.fromkeys(hips + shoulders, 0.25)
    assert row('coco', 'nturgb+d', 'left_thumb') == {'left_wrist': 1}
    assert row('coco', 'sbu', 'head') == {'nose': 1}
    _, report = map_layout('coco', 'kinect_v1')
    assert report['left_knee'] == 'same'
    assert report['hip_center'] == 'interpolated from left_hip, right_hip'
    assert report['left_hand'] == 'nearest: left_wrist'
    _, report = map_layout('coco', 'sbu')
    assert report['neck'] == 'interpolated from left_shoulder, right_shoulder'


def test_synonyms_are_the_same_joint():
    _, report = map_layout('nturgb+d', 'h36m')
    assert set(report.values()) == {'same'}
    assert row('nturgb+d', 'h36m', 'root') == {'spine_base': 1}
    assert row('nturgb+d', 'h36m', 'thorax') == {'spine_shoulder': 1}
    assert row('nturgb+d', 'h36m', 'neck_base') == {'neck': 1}
    # Where only one of them exists, the neck stands for the shoulder centre.
    assert row('sbu', 'kinect_v1', 'shoulder_center') == {'neck': 1}
    assert row('sbu', 'kinect_v1', 'left_wrist') == {'left_hand': 1}
    assert row('h36m', 'coco', 'left_ankle') == {'left_foot': 1}
    assert row('openpose', 'h36m', 'head') == {'nose': 1}
    assert row('openpose_body25', 'h36m', 'root') == {'mid_hip': 1}
    assert row('coco', 'openpose_body25', 'left_small_toe') == {'left_ankle': 1}


@pytest.mark.parametrize(
    ('hip', 'knee'), [('UpLeg', 'Leg'), ('Thigh', 'Calf'), ('UpperLeg', 'Shin')]
)
def test_other_spellings_are_the_same_joint(hip, knee):
    limbs = (f'Left{hip}', f'Left{knee}', f'Right{hip}', f'Right{knee}')
    bvh = dict(
        name='bvh',
        joints=('Hips', *limbs, 'Chest'),
        edges=[(1, 0), (2, 1), (3, 0), (4, 3), (5, 0)],
    )
    joints = ('left_hip', 'right_hip', 'left_knee', 'right_knee', 'pelvis', 'thorax')
    target = dict(name='legs', joints=joints, edges=[])
    weights, report = map_layout(bvh, target)
    assert weights.argmax(axis=1).tolist() == [1, 3, 2, 4, 0, 5]
    assert report.pop('thorax') == 'nearest: Chest'  # for want of a better one
    assert set(report.values()) == {'same'}


def test_joints_of_azure_kinect_and_of_mediapipe():
    def limb(joint, *joints):
        return [f'{side}_{j}' for j in (joint, *joints) for side in ('left', 'right')]

    azure = dict(
        name='azure',
        joints=[
            'Pelvis', 'SpineNavel', 'SpineChest', 'Neck', 'Head', 'Nose',
            *('ClavicleLeft', 'ClavicleRight', 'ShoulderLeft', 'ShoulderRight'),
            *('ElbowLeft', 'ElbowRight', 'WristLeft', 'WristRight'),
            *('HandLeft', 'HandRight', 'HandTipLeft', 'HandTipRight'),
            *('ThumbLeft', 'ThumbRight', 'HipLeft', 'HipRight'),
            *('KneeLeft', 'KneeRight', 'AnkleLeft', 'AnkleRight'),
            *('FootLeft', 'FootRight', 'EyeLeft', 'EyeRight', 'EarLeft', 'EarRight'),
        ],
        edges=[(0, 1)],
    )  # fmt: skip
    # The chest is far below the shoulders: 0.7 of the way up from the hips.
    assert row(azure, 'kinect_v1', 'shoulder_center') == {'Neck': 1}
    assert row(azure, 'nturgb+d', 'spine_shoulder') == {'Neck': 1}
    assert row('kinect_v1', azure, 'ClavicleLeft') == {
        'shoulder_center': 0.5,
        'left_shoulder': 0.5,
    }
    mediapipe = dict(
        name='mediapipe',
        joints=[
            'nose',
            *limb('eye_inner', 'eye', 'eye_outer', 'ear'),
            *('mouth_left', 'mouth_right'),
            *limb('shoulder', 'elbow', 'wrist', 'pinky', 'index', 'thumb'),
            *limb('hip', 'knee', 'ankle', 'heel', 'foot_index'),
        ],
        edges=[(0, 1)],
    )
    for known in ('kinect_v1', 'nturgb+d', 'h36m', 'coco', 'openpose_body25'):
        for other in (azure, mediapipe):
            map_layout(known, other)
            map_layout(other, known)


def test_a_joint_that_cannot_be_made_is_an_error():
    legs = dict(name='legs', joints=('left_knee', 'right_knee'), edges=[])
    tail = dict(name='tail', joints=('pelvis', 'tail'), edges=[(1, 0)])
    with pytest.raises(ValueError, match=r"'nose' of layout 'coco'.*'legs'.*rename"):
        map_layout(legs, 'coco')
    with pytest.raises(ValueError, match="'tail' of layout 'tail'"):
        map_layout('h36m', tail)


def test_what_is_not_the_same_is_logged_once(tmp_path):
    log = tmp_path / 'log.txt'
    MMLogger.get_instance(str(tmp_path), log_file=str(log))
    pelvis = dict(name='pelvis', joints=('pelvis', 'left_hip', 'right_hip'), edges=[])
    for source in ('sbu', 'sbu', 'h36m'):
        map_layout(source, pelvis)
    (line,) = log.read_text().splitlines()
    assert line.endswith(
        "Joints of 'pelvis' that 'sbu' lacks: pelvis, interpolated from left_hip, "
        'right_hip.'
    )


def tiny(name, *joints):
    return layout_from_joints(name, joints, [(i, 0) for i in range(1, len(joints))])


def test_layouts_differ_at_the_first_joint_of_another_meaning():
    layout = tiny('a', 'hip_center', 'neck', 'head', 'left_hand', 'right_hand')
    # Other words for the same joints.
    same = tiny('b', 'root', 'neck', 'head', 'LeftHand', 'RightHand')
    assert differing_joint(layout, layout) is None
    assert differing_joint(layout, same) is None
    swapped = tiny('c', 'root', 'neck', 'head', 'right_hand', 'left_hand')
    assert differing_joint(layout, swapped) == 3
    longer = tiny('d', 'root', 'neck', 'head', 'left_hand', 'right_hand', 'nose')
    assert differing_joint(layout, longer) == 5


@pytest.mark.parametrize('name', LAYOUTS)
def test_no_two_layouts_are_taken_for_one(name):
    others = [n for n in LAYOUTS if differing_joint(LAYOUTS[name], LAYOUTS[n]) is None]
    assert others == [name]
