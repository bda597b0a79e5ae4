import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fdmae_mm import compat

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def doctor():
    spec = importlib.util.spec_from_file_location(
        'doctor', ROOT / 'tools' / 'doctor.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HEALTHY = {'fdmae-mm': '0.1', 'numpy': '2.3.5', 'mmcv-lite': '2.1.0'}


@pytest.fixture
def examine(doctor, monkeypatch):
    """The report where these distributions are installed, and what they require."""

    def run(versions, required=('numpy<2.4',), **extras):
        extras = {name: list(map(Requirement, each)) for name, each in extras.items()}
        needs = list(map(Requirement, required)), extras
        monkeypatch.setattr(doctor, 'installed', lambda: versions)
        monkeypatch.setattr(doctor, 'requirements', lambda: needs)
        return doctor.examine()

    return run


def test_a_healthy_environment(examine, doctor):
    report = examine(HEALTHY)
    assert (report['broken'], report['conflicts']) == ([], [])
    assert report['required'] == {'numpy': '2.3.5', 'mmcv-lite': '2.1.0'}
    assert report['here']['fdmae_mm'].endswith(str(ROOT / 'fdmae_mm'))
    assert report['here']['configs'] == str(ROOT / 'configs')
    assert 'cores' in report['here']['device']


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        (dict(numpy=None), 'numpy is not installed: pip install "numpy<2.4"'),
        (dict(numpy='2.4.6'), 'numpy 2.4.6 does not fit: pip install "numpy<2.4"'),
        ({'mmcv-lite': None}, 'mmcv is not installed: pip install "mmcv-lite>='),
        ({'mmcv': '2.1.0'}, 'mmcv and mmcv-lite are both installed'),
        ({'mmcv-lite': '2.2.0'}, 'mmcv-lite 2.2.0 does not fit mmaction2'),
        ({'mmcv': '2.2.0', 'mmcv-lite': None}, 'mmcv 2.2.0 does not fit mmaction2'),
    ],
)
def test_what_is_required_and_broken(examine, change, problem):
    versions = {k: v for k, v in {**HEALTHY, **change}.items() if v is not None}
    (found,) = examine(versions)['broken']
    assert found.startswith(problem)
    assert 'pip install' in found


def test_a_full_mmcv_is_as_good(examine):
    assert not examine({'numpy': '2.0', 'mmcv': '2.1.0'})['broken']


def test_a_package_that_cannot_be_imported_is_broken(examine, doctor, monkeypatch):
    def fail():
        raise ImportError('fdmae_mm needs mmcv')

    monkeypatch.setattr(doctor, 'package', fail)
    (found,) = examine(HEALTHY)['broken']
    assert found == 'fdmae_mm cannot be imported: ImportError: fdmae_mm needs mmcv'


def test_other_packages_that_get_in_the_way(examine, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchvision', None)
    versions = {**HEALTHY, 'otxmmaction2': '1', 'onedl-mmcv': '2', 'torchvision': '0.2'}
    report = examine(versions)
    assert [re.split('[ :]', line)[0] for line in report['conflicts']] == [
        'otxmmaction2',
        'onedl-mmcv',
        'torchvision',
    ]
    assert report['broken'] == []  # the package gets along with them, or says so


def test_what_an_interrupted_pip_has_left(doctor, examine, tmp_path, monkeypatch):
    left = tmp_path / 'foo-1.0.dist-info'
    left.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert 'numpy' in doctor.installed()
    (found,) = examine(HEALTHY)['conflicts']
    assert found.startswith(f'{left} is left of an interrupted pip: delete it')


def test_optional_parts_and_the_way_to_them(examine, doctor):
    extras = dict(view=['plotly'], export=['onnx', 'onnxruntime'], test=['pytest'])
    report = examine({**HEALTHY, 'plotly': '7.1', 'onnx': '1.2'}, **extras)
    parts = report['optional']
    assert list(parts) == ['view', 'export', 'umap-learn', 'mmpose', 'browser']
    assert parts['view']['have'] == {'plotly': '7.1'}
    assert parts['export']['have'] == {'onnx': '1.2', 'onnxruntime': None}
    text = doctor.render(report)
    assert 'pip install "fdmae_mm[export]"' in text
    assert 'pip install "fdmae_mm[view]"' not in text
    assert 'pip install --no-deps mmpose' in text


def test_every_work_around_says_what_it_does_and_when_it_can_go(doctor):
    """Where the report takes it from, whether it is needed here or not."""
    for work_around in compat._WORK_AROUNDS + compat._MMPOSE_WORK_AROUNDS:
        assert work_around.__doc__.startswith(
            ('Let ', 'Put ', 'Make ', 'Start ', 'Wrap ')
        )
        assert re.match(
            'an mm(action2|cv-lite|engine|pose) > ', doctor.until(work_around)
        )


def test_what_is_mended_here(examine):
    mended = {mend['name']: mend for mend in examine(HEALTHY)['mended']}
    assert set(mended) == set(compat.APPLIED)
    for name, mend in mended.items():
        assert mend['why'] == compat.APPLIED[name]


def test_json_and_the_exit_status(doctor, examine, capsys):
    examine(HEALTHY)
    assert doctor.main(['--json']) == 0
    assert json.loads(capsys.readouterr().out)['required']['numpy'] == '2.3.5'
    examine({'mmcv-lite': '2.1.0'})
    assert doctor.main([]) == 1
    assert capsys.readouterr().out.endswith(
        'broken\n  numpy is not installed: pip install "numpy<2.4"\n'
    )
