import pytest

from fdmae_mm.datasets.layouts import LAYOUTS, SkeletonLayout, from_mmpose, get_layout

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
    [('nturgb+d', 25), ('kinect_v1', 20), ('coco', 17), ('h36m', 17), ('sbu', 15)],
)
def test_known_layouts(name, num_joints):
    assert get_layout(name).num_joints == num_joints


@pytest.mark.parametrize('name', ['nturgb+d', 'coco'])
def test_edges_are_those_of_the_stock_graph(name):
    from mmaction.models.utils.graph import Graph

    assert set(get_layout(name).edges) == set(Graph(name).inward)


def test_ntu_axes_are_those_of_prenormalize3d():
    from mmaction.datasets.transforms import PreNormalize3D

    layout, transform = get_layout('nturgb+d'), PreNormalize3D()
    assert list(layout.spine) == transform.zaxis
    assert list(layout.shoulders) == transform.xaxis


def test_ntu_parts():
    parts = get_layout('nturgb+d').parts
    assert parts['torso'] == (0, 1, 2, 3, 20)
    assert parts['right_arm'] == (8, 9, 10, 11, 23, 24)
    assert parts['left_leg'] == (12, 13, 14, 15)


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
