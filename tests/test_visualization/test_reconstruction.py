import numpy as np
from matplotlib import image
from matplotlib.figure import Figure

from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.visualization import draw_reconstruction
from fdmae_mm.visualization.reconstruction import draw_bones, draw_joints


def test_bones_of_dropped_joints_are_not_drawn():
    layout = get_layout('kinect_v1')
    joints = np.arange(1.0, 61).reshape(20, 3)
    ends = [joint for bone in layout.edges for joint in bone]
    leaf = next(v for v in range(20) if ends.count(v) == 1)
    joints[leaf] = 0
    ax = Figure().subplots()
    draw_bones(ax, joints, layout, 'black')
    (line,) = ax.lines
    drawn = line.get_xydata().reshape(-1, 3, 2)
    bones = [bone for bone in layout.edges if leaf not in bone]
    assert len(bones) == 18
    np.testing.assert_array_equal(drawn[:, :2], joints[np.array(bones), :2])
    assert np.isnan(drawn[:, 2]).all()  # no line from bone to bone


def test_dots_of_dropped_joints_are_not_drawn():
    joints = np.arange(1.0, 13).reshape(4, 3)
    joints[2] = 0
    ax = Figure().subplots()
    draw_joints(ax, joints, np.array([True, False, True, True]))
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), joints[[0, 3], :2])


def test_the_picture_shows_what_was_seen_and_what_was_made_of_it(tmp_path, monkeypatch):
    figures, save = [], Figure.savefig
    monkeypatch.setattr(
        Figure,
        'savefig',
        lambda self, *a, **k: figures.append(self) or save(self, *a, **k),
    )
    layout = get_layout('kinect_v1')
    clip = np.random.default_rng(0).normal(size=(15, 20, 3))
    mask = np.ones((15, 20), bool)
    mask[:, :5] = False
    draw_reconstruction(clip, mask, clip + 1, layout, tmp_path / 'clip.png')
    (figure,) = figures
    whole, seen, completed = np.array(figure.axes).reshape(3, 8)
    for column, t in enumerate(range(0, 15, 2)):
        assert whole[column].get_title() == f'frame {t}'
        ends = clip[t][np.array(layout.edges), :2]
        for ax, line, expected in (
            (whole, 0, ends),
            (seen, 0, ends),
            (completed, 0, ends),
            (completed, 1, ends + 1),
        ):
            drawn = ax[column].lines[line].get_xydata().reshape(-1, 3, 2)[:, :2]
            np.testing.assert_allclose(drawn, expected)
        for ax, joints in (seen, clip), (completed, clip + 1):
            dots = ax[column].lines[-1].get_xydata()
            np.testing.assert_array_equal(dots, joints[t, :5, :2])
    labels = [ax.get_ylabel() for ax in (whole[0], seen[0], completed[0])]
    assert labels == ['original', 'visible (25%)', 'reconstructed']


def test_the_picture_is_written_and_not_blank(tmp_path):
    rng = np.random.default_rng(0)
    clip = rng.normal(size=(16, 20, 3))
    mask = rng.random((16, 20)) < 0.9
    path = tmp_path / 'clip.png'
    draw_reconstruction(clip, mask, clip + 0.1, get_layout('kinect_v1'), path, 'title')
    pixels = image.imread(path)
    assert (pixels[..., :3] < 0.9).any(axis=-1).mean() > 0.005
