from pathlib import Path

import pytest

from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.synthetic import make_synthetic

SHARED_DATA = Path(__file__).resolve().parents[2] / 'shared' / 'data'


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
def nw_ucla_archive():
    path = SHARED_DATA / 'nw_ucla.tar.gz'
    if not path.exists():
        pytest.skip(f'the real NW-UCLA data are not at {path}')
    return path


@pytest.fixture(scope='session')
def nw_ucla_annotation(nw_ucla_archive):
    """The complete real set."""
    from fdmae_mm.datasets.converters import NWUCLAConverter, convert

    annotation, skipped = convert(NWUCLAConverter(), nw_ucla_archive)
    assert not skipped
    return annotation


@pytest.fixture(scope='session')
def nw_ucla_ann_file(nw_ucla_annotation, tmp_path_factory):
    path = tmp_path_factory.mktemp('data') / 'nw_ucla.pkl'
    save_annotation(nw_ucla_annotation, path)
    return str(path)
