import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import Normalize

from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.visualization import average_pose, save_figure, style
from fdmae_mm.visualization.style import COLUMN, draw_body, new_figure

LAYOUT = get_layout('kinect_v1')


def body():
    """A body in the plane, facing us: y up, its left to our right."""
    pose = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    bottom, top = LAYOUT.spine
    right, left = LAYOUT.shoulders
    pose[:, 2] = 0
    pose[[bottom, top], :2] = [0, 1], [0, 2]
    pose[[right, left], :2] = [-1, 2], [1, 2]
    return pose


def test_pose_is_seen_from_the_front_however_the_bodies_stand():
    pose, bottom = body(), LAYOUT.spine[0]
    rotations = [
        np.linalg.qr(np.random.default_rng(s).normal(size=(3, 3)))[0] for s in range(4)
    ]
    rotations = [r * np.linalg.det(r) for r in rotations]
    clips = [(pose @ r + s)[None] for s, r in enumerate(rotations, 1)]
    found = average_pose(clips, LAYOUT)
    np.testing.assert_allclose(found, (pose - pose[bottom])[:, :2], atol=1e-5)


def test_pose_of_pixels_has_the_head_up():
    layout = get_layout('coco')
    pose = np.random.default_rng(0).normal(300, 20, (17, 2))
    pose[list(layout.shoulders)] = [[280, 200], [320, 200]]  # right, left
    pose[list(layout.hips)] = [[290, 300], [310, 300]]
    pose[layout.joints.index('nose')] = 300, 150
    found = average_pose([pose[None, None]], layout)
    nose = found[layout.joints.index('nose')]
    np.testing.assert_allclose(nose, [0, 150], atol=1e-9)
    right, left = found[list(layout.shoulders)]
    np.testing.assert_allclose([right, left], [[-20, 100], [20, 100]], atol=1e-9)


def test_frames_with_lost_joints_are_left_out_of_the_pose():
    clip = np.stack([body(), body(), np.zeros((20, 3))])
    clip[1, :3] = 0
    whole = average_pose([clip[:1]], LAYOUT)
    np.testing.assert_allclose(average_pose([clip], LAYOUT), whole)
    with pytest.raises(ValueError, match='No frame of the clips has all joints'):
        average_pose([clip[1:]], LAYOUT)


def test_body_is_drawn_and_saved_in_the_format_of_the_suffix(tmp_path):
    figure = new_figure(COLUMN, 2)
    values = np.arange(20.0)
    values[3] = np.nan
    joints = draw_body(
        figure.add_subplot(), body()[:, :2], LAYOUT, values, Normalize(0, 19)
    )
    shown = joints.get_array()
    assert shown.mask.tolist() == [True] + 19 * [False] and shown[-1] == 19
    starts = dict(pdf=b'%PDF', svg=b'<?xml', png=b'\x89PNG')
    for suffix, start in starts.items():
        path = tmp_path / 'new' / f'body.{suffix}'
        save_figure(figure, path)
        assert path.read_bytes().startswith(start)
    assert image.imread(path).shape == (600, 1050, 4)
    with pytest.raises(ValueError, match=r'body.jpg must end in one of \.pdf'):
        save_figure(figure, tmp_path / 'body.jpg')


def test_class_names_in_chinese_have_a_font_where_one_is_installed(monkeypatch):
    names = ['DejaVu Sans', 'SimHei', 'Comic Sans MS', 'Noto Sans CJK SC']
    monkeypatch.setattr(style, 'get_font_names', lambda: names)
    assert style.font_families() == ['sans-serif', 'Noto Sans CJK SC', 'SimHei']
