import functools
from pathlib import Path

import pytest
from mmaction.visualization import ActionVisualizer

from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.synthetic import make_synthetic

SHARED_DATA = Path(__file__).resolve().parents[2] / 'shared' / 'data'


@pytest.fixture(autouse=True)
def own_visualizer():
    """MMEngine names one by the second; another test's writes to a folder now gone."""
    yield
    ActionVisualizer._instance_dict.clear()


@pytest.fixture(scope='session')
def synthetic_annotation():
    """A small synthetic set: 3 subjects, each action once before each camera."""
    return make_synthetic(num_subjects=3, repetitions=1)


@pytest.fixture(scope='session')
def synthetic_ann_file(synthetic_annotation, tmp_path_factory):
    path = tmp_path_factory.mktemp('data') / 'synthetic.pkl'
    save_annotation(synthetic_annotation, path)
    return str(path)


@pytest.fixture(scope='session')
def real_archive():
    """Path of a real set by the name of its format."""

    def find(name):
        path = SHARED_DATA / f'{name}.tar.gz'
        if not path.exists():
            pytest.skip(f'the real {name} data are not at {path}')
        return path

    return find


@pytest.fixture(scope='session')
def real_annotation(real_archive):
    """Annotation of a complete real set by the name of its format, made once."""
    from fdmae_mm.datasets.converters import CONVERTERS, convert

    @functools.cache
    def make(name):
        annotation, skipped = convert(CONVERTERS[name](), real_archive(name))
        assert not skipped
        return annotation

    return make


@pytest.fixture(scope='session')
def nw_ucla_archive(real_archive):
    return real_archive('nw_ucla')


@pytest.fixture(scope='session')
def nw_ucla_annotation(real_annotation):
    """The complete real set."""
    return real_annotation('nw_ucla')


@pytest.fixture(scope='session')
def nw_ucla_ann_file(nw_ucla_annotation, tmp_path_factory):
    path = tmp_path_factory.mktemp('data') / 'nw_ucla.pkl'
    save_annotation(nw_ucla_annotation, path)
    return str(path)
