import importlib.util
import json
from functools import partial
from pathlib import Path

import pytest
from matplotlib import image

from fdmae_mm.datasets.synthetic import make_synthetic


@pytest.fixture
def quickstart():
    path = Path(__file__).parents[2] / 'tools' / 'quickstart.py'
    spec = importlib.util.spec_from_file_location('quickstart', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_whole_of_it_on_a_small_set(quickstart, tmp_path, monkeypatch, capsys):
    """The real script and configs, on fewer clips and one epoch of one pass."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('sys.argv', ['quickstart.py'])
    small_set = partial(make_synthetic, num_subjects=3, repetitions=1)
    monkeypatch.setattr(quickstart, 'make_synthetic', small_set)
    load = quickstart.load

    def load_small(*args):
        cfg = load(*args)
        cfg.train_cfg.max_epochs = 1
        cfg.train_dataloader.dataset.times = 1
        return cfg

    monkeypatch.setattr(quickstart, 'load', load_small)
    quickstart.main()
    work_dir = tmp_path / 'work_dirs' / 'quickstart'
    result = json.loads((work_dir / 'result.json').read_text())
    assert set(result) == {*quickstart.ROWS, 'seconds'}
    assert all(0 <= result[key] <= 100 for key in quickstart.ROWS)
    # A linear probe of 20 classes is beyond chance even without training.
    assert result['untrained_linear'] > 10
    printed = capsys.readouterr().out
    for key, row in quickstart.ROWS.items():
        assert f'{row:<34}{result[key]:>6.1f}' in printed
    height, width, _ = image.imread(work_dir / 'reconstruction.png').shape
    assert min(height, width) > 500


def test_an_annotation_file_of_the_user_stays(quickstart, tmp_path):
    path = tmp_path / 'data' / 'synthetic.pkl'
    made = make_synthetic(num_subjects=3, repetitions=1)
    for _ in range(2):  # its own is no obstacle
        quickstart.place(made, path)
    written = path.read_bytes()
    made['annotations'].pop()
    with pytest.raises(SystemExit, match=r'synthetic\.pkl is there, and is not what'):
        quickstart.place(made, path)
    assert path.read_bytes() == written
