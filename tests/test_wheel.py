"""A plain install: the wheel, in an environment of its own, far from the sources.

MIM works on such an install alone, and what setup.py forgets shows in no other test.
Half a minute goes into importing mmaction in seven processes.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = [
    'train_cfg.max_epochs=1',
    'train_dataloader.batch_size=8',
    'train_dataloader.num_workers=0',
    'train_dataloader.dataset.times=1',
    'train_dataloader.dataset.dataset.indices=16',
]


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Folder with the programs of an environment that has the wheel, out of an sdist.

    All else is that of the environment that runs the tests.
    """
    folder = tmp_path_factory.mktemp('wheel')
    # A copy, as setuptools builds in the source tree, and not data or .venv.
    skipped = shutil.ignore_patterns(
        '.*', '__pycache__', '*.egg-info', 'build', 'data', 'docs', 'tests', 'work_dirs'
    )
    shutil.copytree(ROOT, folder / 'source', ignore=skipped)
    build = 'from setuptools import build_meta; build_meta.build_sdist("../sdist")'
    environment = {'PYTHONPATH': ''}
    run([sys.executable, '-c', build], folder / 'source', environment)
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check']
    (sdist,) = folder.glob('sdist/*.tar.gz')
    wheel = ['wheel', '--no-deps', '--no-build-isolation', '--no-index']
    run([*pip, *wheel, str(sdist)], folder, environment)
    venv.create(folder / 'env', symlinks=True)
    (wheel,) = folder.glob('*.whl')
    python = str(folder / 'env' / 'bin' / 'python')
    install = ['--python', python, 'install', '--no-deps', '--no-index']
    run([*pip, *install, str(wheel)], folder, environment)
    (site,) = folder.glob('env/lib/python*/site-packages')
    parent = Path(sysconfig.get_path('purelib'))
    (site / 'parent.pth').write_text(str(parent))
    # setuptools' distutils, which Python >= 3.12 lacks: no .pth of the parent is read.
    shutil.copy(parent / 'distutils-precedence.pth', site / 'setuptools.pth')
    return folder / 'env' / 'bin'


@pytest.fixture(scope='module')
def home(tmp_path_factory, synthetic_ann_file):
    """A folder where a user works, with data."""
    folder = tmp_path_factory.mktemp('home')
    (folder / 'data').mkdir()
    shutil.copy(synthetic_ann_file, folder / 'data' / 'synthetic.pkl')
    return folder


@pytest.fixture(scope='module')
def trained(installed, home):
    """A checkpoint that `fdmae train` has left."""
    command = [str(installed / 'fdmae'), 'train', 'fdmae_synthetic', '--cfg-options']
    run([*command, *TINY], home)
    return home / 'work_dirs' / 'fdmae_synthetic' / 'epoch_1.pth'


def run(command, cwd, environment=None):
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, 'PYTHONPATH': '', **(environment or {})},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def mim(installed, home, *arguments):
    if importlib.util.find_spec('mim') is None:
        pytest.skip('openmim is not installed: pip install "fdmae_mm[mim]"')
    return run([str(installed / 'python'), '-m', 'mim', *arguments], home)


def test_the_wheel_has_all_files_of_the_package(installed):
    (package,) = installed.parent.glob('lib/python*/site-packages/fdmae_mm')
    (source,) = installed.parents[1].glob('source/fdmae_mm')
    files = {p.relative_to(source) for p in source.rglob('*') if p.is_file()}
    assert files <= {p.relative_to(package) for p in package.rglob('*')}


def test_the_doctor_finds_the_installed_package_sound(installed, home):
    report = json.loads(run([str(installed / 'fdmae'), 'doctor', '--json'], home))
    assert str(installed.parent) in report['here']['fdmae_mm']
    assert Path(report['here']['configs'], 'fdmae_ntu60.py').is_file()
    assert report['broken'] == []
    assert {'view', 'plot', 'export', 'pose'} <= set(report['optional'])


def test_a_shipped_config_trains_by_its_name(trained):
    assert trained.is_file()


def test_mim_searches(installed, home):
    mim(installed, home, 'search', 'fdmae_mm', '--model', 'fdmae', '--json', 'm.json')
    models = json.loads((home / 'm.json').read_text())
    assert 'fdmae_synthetic' in models['config']


def test_mim_trains(installed, home):
    work_dir = ['--work-dir', 'mim', '--cfg-options', *TINY]
    config = 'mae_synthetic.py'
    mim(installed, home, 'train', 'fdmae_mm', config, '--gpus', '0', *work_dir)
    assert (home / 'mim' / 'epoch_1.pth').is_file()


def test_mim_tests(installed, home, trained):
    arguments = ['fdmae_mm', 'knn_synthetic.py', '--checkpoint', str(trained)]
    output = mim(installed, home, 'test', *arguments, '--gpus', '0')
    assert 'acc/top1: ' in output
