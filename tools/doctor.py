#!/usr/bin/env python
"""Shows what is installed, mended, missing or broken; belongs into a bug report.

python tools/doctor.py
python tools/doctor.py --json

The exit status is 1 where something is broken that fdmae_mm cannot do without.
"""

# Nothing of the package at the top: its import may be what is broken.
from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import inspect
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

# What fits mmaction2 1.2; setup.py says why it is none of the requirements.
MMCV = SpecifierSet('>=2.0,<2.2')
MMCV_LITE = 'pip install "mmcv-lite>=2.1.0,<2.2"'
# Extras that add up others, and the one that is no option.
NO_PARTS = ('all', 'lite', 'test')
UMAP = 'pip install umap-learn'
MMPOSE = 'pip install "fdmae_mm[pose]" and pip install --no-deps mmpose==1.3.2'
BROWSER = 'apt-get install chromium chromium-driver'


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the report.

    Returns:
        Exit status: 0, or 1 where something required is broken.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.replace('python tools/doctor.py', '%(prog)s'),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--json', action='store_true', help='for machines to read')
    args = parser.parse_args(argv)
    report = examine()
    print(json.dumps(report, indent=2) if args.json else render(report))
    return int(bool(report['broken']))


def examine() -> dict:
    """The report, as ``--json`` prints it."""
    versions = installed()
    required, extras = requirements()
    here = {'python': f'{platform.python_version()}, {platform.platform()}'}
    broken = [*unmet(required, versions), *mmcv_problems(versions)]
    mends = []
    try:
        here['fdmae_mm'] = package()
        here['configs'] = configs()
        here['device'] = device()
        mends = mended('mmpose' in versions)
    except Exception as error:  # whatever a broken package raises
        broken.append(f'fdmae_mm cannot be imported: {type(error).__name__}: {error}')
    names = [canonicalize_name(r.name) for r in required]
    names += [name for name in versions if name.startswith('mmcv')]
    return dict(
        here=here,
        required={name: versions.get(name) for name in names},
        optional=optional(extras, versions),
        mended=mends,
        conflicts=conflicts(versions),
        broken=broken,
    )


def installed() -> dict[str, str]:
    """Version of every distribution that python finds, by canonical name."""
    versions = {}
    for found in importlib.metadata.distributions():
        try:
            name = found.metadata['Name']
        except (FileNotFoundError, TypeError):  # of later versions of importlib
            name = None
        if name is not None:  # as of what an interrupted pip has left
            # The first on the path is the one that is imported.
            versions.setdefault(canonicalize_name(name), found.version)
    return versions


def remains() -> list[Path]:
    """What an interrupted pip has left on the path."""
    return [
        folder
        for entry in sys.path
        for folder in Path(entry).glob('*.dist-info')
        if not (folder / 'METADATA').is_file()
    ]


def requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """What setup.py requires, and what each extra brings, from the installed package.

    Without one, as in a source tree on PYTHONPATH, there is nothing to compare with.
    """
    try:
        metadata = importlib.metadata.metadata('fdmae_mm')
    except importlib.metadata.PackageNotFoundError:
        return [Requirement('fdmae_mm')], {}
    every = [Requirement(line) for line in metadata.get_all('Requires-Dist')]
    extras = {
        extra: [r for r in every if r.marker and r.marker.evaluate({'extra': extra})]
        for extra in metadata.get_all('Provides-Extra')
    }
    return [r for r in every if r.marker is None], extras


def unmet(required: Iterable[Requirement], versions: Mapping[str, str]) -> list[str]:
    """Requirements that are missing or of another version, each with the way out."""
    problems = []
    for requirement in required:
        name = requirement.name
        version = versions.get(canonicalize_name(name))
        if version is None:
            problem = 'is not installed'
        elif not requirement.specifier.contains(version, prereleases=True):
            problem = f'{version} does not fit'
        else:
            continue
        way_out = '-e .' if name == 'fdmae_mm' else f'"{requirement}"'
        problems.append(f'{name} {problem}: pip install {way_out}')
    return problems


def mmcv_problems(versions: Mapping[str, str]) -> list[str]:
    """What is wrong with mmcv, of which there must be one."""
    found = [name for name in ('mmcv', 'mmcv-lite') if name in versions]
    if not found:
        return [f'mmcv is not installed: {MMCV_LITE}']
    if len(found) == 2:
        return [
            'mmcv and mmcv-lite are both installed and share a folder: '
            f'pip uninstall -y mmcv mmcv-lite and {MMCV_LITE}'
        ]
    (name,) = found
    if not MMCV.contains(versions[name], prereleases=True):
        return [
            f'{name} {versions[name]} does not fit mmaction2: pip uninstall -y {name} '
            f'and {MMCV_LITE}'
        ]
    return []


def conflicts(versions: Mapping[str, str]) -> list[str]:
    """What is known to get in the way, without being required."""
    problems = [
        f'{name} {version} replaces parts of OpenMMLab: pip uninstall -y {name}'
        for name, version in versions.items()
        if name.startswith(('onedl-', 'otx'))
    ]
    problems += [
        f'{folder} is left of an interrupted pip: delete it and install that again'
        for folder in remains()
    ]
    if 'torchvision' in versions:
        try:
            importlib.import_module('torchvision')
        except Exception as error:  # built for another torch: RuntimeError
            problems.append(
                f'torchvision {versions["torchvision"]} cannot be imported ({error}): '
                'pip uninstall -y torchvision, or install the one for this torch'
            )
    return problems


def package() -> str:
    """Version and folder of the package, by importing it."""
    import fdmae_mm

    return f'{fdmae_mm.__version__}, {Path(fdmae_mm.__file__).parent}'


def configs() -> str:
    """Where the shipped configs are."""
    from fdmae_mm.files import shipped

    return str(shipped('configs'))


def device() -> str:
    """Where models run, and by how many threads."""
    import torch
    from mmengine.device import get_device

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return (
        f'{", ".join(gpus) or get_device()}; {torch.get_num_threads()} threads, '
        f'{os.cpu_count()} cores'
    )


def mended(with_mmpose: bool) -> list[dict[str, str]]:
    """The work-arounds that were needed here."""
    from fdmae_mm import compat

    if with_mmpose:
        with contextlib.suppress(ImportError):  # its parts are listed as missing
            compat.require_mmpose()
    return [
        dict(
            name=name,
            what=inspect.getdoc(getattr(compat, name)).splitlines()[0],
            why=why,
            until=until(getattr(compat, name)),
        )
        for name, why in compat.APPLIED.items()
    ]


def until(work_around: Callable) -> str:
    """When a work-around can go, from its comment."""
    source = inspect.getsource(work_around)
    comment = re.search(r'# TODO: drop with (.+?)\.?\n(?!\s*#)', source, re.DOTALL)
    return re.sub(r'\s*\n\s*# ', ' ', comment[1])


def optional(
    extras: Mapping[str, Iterable[Requirement]], versions: Mapping[str, str]
) -> dict[str, dict]:
    """What each optional part consists of, and how what is missing can be had."""
    parts = {
        extra: dict(
            have={r.name: versions.get(canonicalize_name(r.name)) for r in brought},
            get=f'pip install "fdmae_mm[{extra}]"',
        )
        for extra, brought in extras.items()
        if extra not in NO_PARTS
    }
    for name, get in (('umap-learn', UMAP), ('mmpose', MMPOSE)):
        parts[name] = dict(have={name: versions.get(name)}, get=get)
    programs = {name: shutil.which(name) for name in ('chromium', 'chromedriver')}
    parts['browser'] = dict(have=programs, get=BROWSER)
    return parts


def render(report: dict) -> str:
    """The report for people."""
    lines = [f'{name:<12} {value}' for name, value in report['here'].items()]
    lines.append('\nrequired')
    for name, version in report['required'].items():
        lines.append(f'  {name:<18} {version or "missing"}')
    lines.append('\noptional')
    for part, state in report['optional'].items():
        have = ', '.join(f'{k} {v or "missing"}' for k, v in state['have'].items())
        lines.append(f'  {part:<12} {have}')
        if None in state['have'].values():
            lines.append(f'  {"":<12} {state["get"]}')
    lines.append('\nmended for this process by fdmae_mm/compat.py')
    for mend in report['mended']:
        lines.append(f'  {mend["name"]}: {mend["what"]}')
        lines.append(f'    why    {mend["why"]}')
        lines.append(f'    until  {mend["until"]}')
    for title in ('conflicts', 'broken'):
        lines.append(f'\n{title}')
        lines += [f'  {problem}' for problem in report[title] or ['none']]
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
