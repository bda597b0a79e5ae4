import numpy as np
import pytest
from PIL import Image, ImageColor

from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.visualization import save_animation
from fdmae_mm.visualization.style import FAINT, ORIGINAL, PREDICTED

LAYOUT = get_layout(dict(name='two', joints=['a', 'b'], edges=[[1, 0]]))


def near(pixels, color):
    """Pixels (H, W, 3) close to a colour; a GIF has 256 of them."""
    return (np.abs(pixels - np.array(ImageColor.getrgb(color))) < 24).all(axis=-1)


def test_frames_of_the_animation(tmp_path):
    # A bone that is upright, then lies; its completion does the opposite.
    upright, lying = [[1, 1, 0], [1, 3, 0]], [[1, 1, 0], [3, 1, 0]]
    original = np.array([upright, lying], float)
    mask = np.array([[True, True], [True, False]])
    path = tmp_path / 'clip.gif'
    save_animation(original, mask, original[::-1], LAYOUT, path, 'title')
    with Image.open(path) as picture:
        assert picture.n_frames == 2
        assert picture.info['duration'] == 100
        frames = []
        for index in range(2):
            picture.seek(index)
            frames.append(np.array(picture.convert('RGB'), dtype=int))
    left, middle, right = np.array_split(frames[0], 3, axis=1)

    def extent(pixels):
        rows, columns = np.nonzero(pixels)
        return np.ptp(rows), np.ptp(columns)

    height, width = extent(near(left, ORIGINAL))
    assert height > 10 * width
    height, width = extent(near(right, PREDICTED))
    assert width > 10 * height
    assert near(middle, FAINT).any()
    assert not near(middle, ORIGINAL).any()  # all are masked
    _, middle, right = np.array_split(frames[1], 3, axis=1)
    assert near(middle, ORIGINAL).any()
    height, width = extent(near(right, PREDICTED))
    assert height > 10 * width


def test_nothing_is_left_of_a_failure(tmp_path):
    clip = np.ones((2, 2, 3))
    with pytest.raises(IndexError):
        save_animation(clip, clip[:1, :, 0] > 0, clip, LAYOUT, tmp_path / 'clip.gif')
    assert not list(tmp_path.iterdir())
