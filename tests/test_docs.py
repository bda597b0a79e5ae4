"""README and docs: every code block is run, or held against the real thing.

Blocks of a page share one namespace, and a folder that is as the root of a clone where
the data were converted and the models trained:

- python: run. One that begins with ``# NAME.py`` is that file: a module is imported, a
  config, under configs/ or with a ``_base_``, is built and makes one training step.
- bash: every command is known, and its arguments are taken by the real parser, with
  configs and settings that exist. Those of RUN are run.
- text after a command that is run: what it printed. json: parsed, and written to the
  file that is named before it.

``<!-- not run: REASON -->`` before a python block exempts it.
"""

import contextlib
import importlib
import inspect
import itertools
import json
import re
import runpy
import shlex
import shutil
import socket
import string
import sys
import traceback
from argparse import ArgumentParser
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, HOOKS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import OPTIM_WRAPPERS, init_default_scope
from packaging.requirements import Requirement

import fdmae_cli
from fdmae_mm.apis import find_config
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.skeleton_dataset import unrepeated

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
# What a page's blocks need beside what the tests need.
NEEDS = {'own_data.md': 'plotly', 'look.md': 'sklearn', 'export.md': 'onnxscript'}
# Commands with this word are run: the tutorial, and what a later block reads.
RUN = {'own_data.md': 'fdmae', 'export.md': 'recognizer.onnx'}
# What makes them short: one pass an epoch.
TINY = {'train.py': 'train_dataloader.dataset.times=1'}

FENCE = re.compile(
    r'^(?:<!-- not run: (?P<reason>.+) -->\n)?```(?P<language>\w*)\n'
    r'(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r'\]\(([^)\s]+)\)')
# Commands in running text, where they are complete.
INLINE = re.compile(r'`((?:fdmae|python tools/\S+\.py) [^`]+)`')


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    before: str
    reason: str | None

    @property
    def file(self):
        """Path of the file that the block is, None where it is none."""
        if self.language == 'json':
            return re.findall(r'`(\S+\.json)`', self.before)[-1]
        named = re.match(r'# (\S+\.py)\n', self.text)
        return named and named[1]


@cache
def blocks_of(page):
    text = page.read_text(encoding='utf-8')
    return [
        Block(
            page,
            text.count('\n', 0, found.start('text')) + 1,
            found['language'],
            found['text'],
            text[: found.start()],
            found['reason'],
        )
        for found in FENCE.finditer(text)
    ]


def prose_of(page):
    return FENCE.sub('', page.read_text(encoding='utf-8'))


def id_of(page):
    return page.name


# ---- a clone in which the commands of the pages were run


def annotation_of(num_joints, splits, num_classes=10):
    """Clips of every class in every split, each person somewhere else."""
    rng = np.random.default_rng(0)
    annotations, split = [], {}
    for name in splits:
        for label in range(num_classes):
            frames = int(rng.integers(20, 40))
            steps = 0.02 * rng.standard_normal((1, frames, num_joints, 3))
            pose = rng.standard_normal((num_joints, 3))
            annotation = dict(
                frame_dir=f'{name}{label}',
                label=label,
                keypoint=(pose + steps.cumsum(1)).astype(np.float32),
                total_frames=frames,
            )
            annotations.append(annotation)
            split.setdefault(name, []).append(annotation['frame_dir'])
    classes = [f'action {i}' for i in range(num_classes)]
    return dict(split=split, annotations=annotations, metainfo=dict(classes=classes))


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Data and untrained weights where the pages have them."""
    folder = tmp_path_factory.mktemp('made')
    annotation = annotation_of(20, ('xview_train', 'xview_val'))
    save_annotation(annotation, folder / 'data' / 'nw_ucla.pkl')
    np.save(folder / 'joints.npy', annotation['annotations'][0]['keypoint'])
    init_default_scope('mmaction')
    for name, epoch in (
        ('fdmae_nw-ucla_small', 15),
        ('finetune_nw-ucla_small', 2),
        ('fdmae_ntu60', 400),
    ):
        model = MODELS.build(Config.fromfile(find_config(name)).model)
        path = folder / 'work_dirs' / name / f'epoch_{epoch}.pth'
        path.parent.mkdir(parents=True)
        meta = dict(dataset_meta=annotation['metainfo'])
        torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return folder


@pytest.fixture
def clone(made, tmp_path, monkeypatch):
    """The working directory of a page; what its blocks register is forgotten."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        'fdmae_mm.apis.loading.shipped', lambda *parts: Path(tmp_path, *parts)
    )
    for registry in (MODELS, TRANSFORMS):
        monkeypatch.setattr(registry, '_module_dict', dict(registry._module_dict))
    # The layout of configs for the log takes most of a short run.
    monkeypatch.setattr(
        'mmengine.config.config.FormatCode', lambda text, **_: (text, True)
    )
    init_default_scope('mmaction')
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (tmp_path / f'{name}.py').exists():
            del sys.modules[name]


# ---- commands


def commands_of(text):
    """The commands of a bash block, as words, with variables put in."""
    variables = {}
    for line in text.replace('\\\n', ' ').splitlines():
        words = shlex.split(line, comments=True)
        words = [string.Template(word).safe_substitute(variables) for word in words]
        while words:
            end = words.index('&&') if '&&' in words else len(words)
            command, words = words[:end], words[end + 1 :]
            while command and re.fullmatch(r'[A-Z_]+=.*', command[0]):
                name, _, value = command.pop(0).partition('=')
                variables[name] = value
            if command:
                yield command


class Parsed(Exception):  # noqa: N818, no error: how the tool is left
    """Arguments were taken."""


@cache
def tool_of(file):
    return runpy.run_path(str(ROOT / 'tools' / file), run_name='docs')


def parse(file, arguments):
    """What the parser of a tool makes of arguments; it exits where it refuses them."""
    if 'parse_args' in tool_of(file):
        return tool_of(file)['parse_args'](arguments)
    original = ArgumentParser.parse_args

    def parse_and_leave(self, args=None, namespace=None):
        raise Parsed(original(self, args, namespace))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ArgumentParser, 'parse_args', parse_and_leave)
        patch.setattr(sys, 'argv', [file, *arguments])
        with pytest.raises(Parsed) as left:
            runpy.run_path(str(ROOT / 'tools' / file), run_name='__main__')
    return left.value.args[0]


def check_tool(file, arguments):
    """Arguments are taken, and the configs and settings that they name exist."""
    args = vars(parse(file, arguments))
    if file == 'data/video_to_skeleton.py':
        check_mmpose_configs(args['config'], *(args['lifter'] or [])[:1])
        return
    if file == 'grid.py':
        check_grid(args)
        return
    configs = [args.get('config'), *(args.get('classifier') or [])[:1]]
    if file == 'analysis/benchmark.py':
        configs += args['against']
    for config in configs:
        if config is not None:
            cfg = config_of(find_config(config).resolve())
            for option in args.get('cfg_options') or {}:
                check_option(cfg, option)


config_of = cache(Config.fromfile)


def check_mmpose_configs(*configs):
    if importlib.util.find_spec('mmpose'):
        import mmpose

        for config in configs:
            find_config(config, Path(mmpose.__file__).parent / '.mim' / 'configs')


def check_grid(args):
    tool = tool_of('grid.py')
    for method, dataset, ablation in itertools.product(
        args['methods'], args['datasets'], args['ablations']
    ):
        chain = tool['Chain'](method, dataset, 0, None, ablation, Path('configs'))
        assert chain.config is None or chain.config.exists()
        for protocol in args['protocols']:
            assert tool['benchmark'](protocol, chain).exists()


def check_option(cfg, key):
    """A setting stands in the config, or its class takes an argument of this name."""
    *path, last = key.split('.')
    node = cfg._cfg_dict
    for part in path:
        node = node[int(part) if isinstance(node, (list, tuple)) else part]
    if last not in node:
        registries = (MODELS, DATASETS, TRANSFORMS, HOOKS, OPTIM_WRAPPERS)
        kinds = (registry.get(node['type']) for registry in registries)
        taken = inspect.signature(next(filter(None, kinds))).parameters
        assert last in taken, f'{key}: {node["type"]} takes {list(taken)}'


def check_script(script, arguments):
    """Scripts that start several processes with the arguments of a tool."""
    path = ROOT / script
    assert path.stat().st_mode & 0o100, f'{script} cannot be run'
    tool = 'train.py' if 'train' in path.name else 'test.py'
    if path.name.startswith('dist'):
        at = 1 if tool == 'train.py' else 2
        int(arguments.pop(at))
    else:
        arguments = arguments[2:]  # partition and job
    check_tool(tool, arguments)


def check_pip(arguments):
    """Extras are those of setup.py, files are there."""
    setup = (ROOT / 'setup.py').read_text()
    words = iter(arguments)
    for word in words:
        if word == '-r':
            assert (ROOT / next(words)).is_file()
        elif word == '--index-url':
            next(words)
        elif word.startswith('.'):
            extras = re.fullmatch(r'\.(?:\[([\w,]+)\])?', word)[1]
            for extra in filter(None, (extras or '').split(',')):
                assert f"'{extra}':" in setup, f'no extra {extra}'
        elif not word.startswith('-'):
            Requirement(word)


def check(words):
    """A command is one that is known, with arguments that it takes."""
    match words:
        case ['fdmae', '--help']:
            pass
        case ['fdmae', command, *arguments]:
            check_tool(fdmae_cli.COMMANDS[command][0], arguments)
        case ['python', tool, *arguments] if tool.startswith('tools/'):
            check_tool(tool.removeprefix('tools/'), arguments)
        case [script, *arguments] if script.startswith('tools/'):
            check_script(script, arguments)
        case ['make', target, *_]:
            phony = re.search(r'^\.PHONY: (.+)$', (ROOT / 'Makefile').read_text(), re.M)
            assert target in phony[1].split()
        case ['pip', 'install', *arguments]:
            check_pip(arguments)
        case ['mim', 'train' | 'test', 'fdmae_mm', config, *_]:
            assert config.endswith('.py') and find_config(config)
        case (
            ['mim', 'search' | 'download', *_]
            | ['python3', '-m', 'venv', '.venv']
            | ['.', '.venv/bin/activate']
            | ['apt-get', 'install', *_]
            | ['git', 'clone', *_]
            | ['cd', 'fdmae_mm']
            | ['mkdocs', 'build' | 'serve', *_]
            | ['tensorboard', '--logdir', _]
        ):
            pass
        case _:
            pytest.fail(f'unknown command {shlex.join(words)}')


def run(words):
    """Runs a command in this process; fails where it would end with an error."""
    if words[0] == 'fdmae':
        file, arguments = fdmae_cli.COMMANDS[words[1]][0], words[2:]
    else:
        file, arguments = words[1].removeprefix('tools/'), words[2:]
    if file in TINY:
        arguments += [] if '--cfg-options' in arguments else ['--cfg-options']
        arguments.append(TINY[file])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, 'argv', [file, *arguments])
        try:
            runpy.run_path(str(ROOT / 'tools' / file), run_name='__main__')
        except SystemExit as end:
            assert not end.code


# ---- configs


def check_config(path):
    """A config is read and, where it has one, its model built for a training step."""
    cfg = Config.fromfile(path)
    if 'model' not in cfg:
        return
    model = MODELS.build(cfg.model)
    if cfg.get('train_dataloader') is None:
        return
    if Path(cfg.model.backbone.get('init_cfg', {}).get('checkpoint', '')).is_file():
        model.init_weights()
    dataset = DATASETS.build(unrepeated(cfg.train_dataloader.dataset))
    batch = pseudo_collate([dataset[i] for i in range(2)])
    batch = model.data_preprocessor(batch, training=True)
    loss, _ = model.parse_losses(model(**batch, mode='loss'))
    loss.backward()


# ---- the tests


@pytest.mark.parametrize('page', PAGES, ids=id_of)
def test_every_block_is_found(page):
    fences = re.findall(r'^\s*```', page.read_text(encoding='utf-8'), re.M)
    blocks = blocks_of(page)
    assert 2 * len(blocks) == len(fences)
    known = {'bash', 'python', 'json', 'text', 'bibtex'}
    assert {block.language for block in blocks} <= known


@pytest.mark.parametrize('page', PAGES, ids=id_of)
def test_blocks_are_true(page, clone, capsys):
    if needed := NEEDS.get(page.name):
        pytest.importorskip(needed, reason=f'{page.name} needs {needed}')
    namespace, printed = {'__name__': 'docs'}, None
    for block in blocks_of(page):
        where = f'{block.page.name}:{block.line}'
        if block.file:
            path = clone / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.language == 'json':
            json.loads(block.text)
        elif block.language == 'bash':
            for words in commands_of(block.text):
                with explained(f'{where}: {shlex.join(words)}', capsys):
                    check(words)
                    # A grid takes too long.
                    if RUN.get(page.name) in words and 'tools/grid.py' not in words:
                        run(words)
                        printed = capsys.readouterr().out
        elif block.language == 'text' and printed is not None:
            assert block.text == printed, where
        elif block.language == 'python' and not block.reason:
            with explained(where, capsys):
                if not block.file:
                    # Lines of a traceback are those of the page.
                    code = '\n' * (block.line - 1) + block.text
                    exec(compile(code, page, 'exec'), namespace)
                elif block.file.startswith('configs/') or '_base_ =' in block.text:
                    check_config(block.file)
                else:
                    importlib.import_module(Path(block.file).stem)
        if block.language != 'bash':
            printed = None


@contextlib.contextmanager
def explained(where, capsys):
    """Adds the place, and what a parser has said, to what is raised."""
    try:
        yield
    except (Exception, SystemExit) as error:
        said = capsys.readouterr().err[-2000:] or traceback.format_exc(limit=-3)
        reason = f'{where}: {type(error).__name__}: {error}\n{said}'
        pytest.fail(reason, pytrace=False)


@pytest.mark.parametrize('page', PAGES, ids=id_of)
def test_commands_in_the_text_are_true(page, clone, capsys):
    for block in blocks_of(page):  # configs that the text names
        if block.file and block.file.startswith('configs/'):
            (clone / block.file).parent.mkdir(exist_ok=True)
            (clone / block.file).write_text(block.text)
    for command in INLINE.findall(prose_of(page)):
        words = shlex.split(command)
        if '...' in words or 'COMMAND' in words:
            continue
        with explained(f'{page.name}: {command}', capsys):
            if len(words) > 3 or words[1:] == ['--help']:
                check(words)
            else:  # a command by its name, or what its help names
                with pytest.raises(SystemExit):
                    check([*words[:2], '--help'])
                shown = capsys.readouterr().out
                assert all(word in shown for word in words[2:])


@pytest.mark.parametrize(
    'command',
    [
        'fdmae trian fdmae_nw-ucla_small',
        'fdmae train fdmae_nw-ucla_smal',
        'fdmae train fdmae_nw-ucla_small --resumes',
        'fdmae train fdmae_nw-ucla_small --cfg-options model.heads.tim.loss_weight=0',
        'fdmae train fdmae_nw-ucla_small --cfg-options model.heads.time.los_weight=0',
        'fdmae infer finetune_nw-ucla_small a.pth clips --features',
        'tools/dist_train.sh configs/fdmae_ntu60.py',
        'python tools/grid.py --methods mae --datasets nw-ucla_tiny',
        'make quikstart',
        'pip install -e .[veiw]',
        'pip install -r requirements/gpu.txt',
        'rm -rf work_dirs',
    ],
)
def test_a_wrong_command_is_noticed(command, clone):
    with pytest.raises((Exception, SystemExit, pytest.fail.Exception)):
        check(shlex.split(command))


@pytest.mark.parametrize('page', PAGES, ids=id_of)
def test_links_lead_somewhere(page):
    for link in LINK.findall(prose_of(page)):
        if '://' in link:
            continue
        path, _, anchor = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f'{page.name}: {link}'
        if anchor:
            headings = re.findall(r'^#+ (.+)$', prose_of(target), re.M)
            assert anchor in map(github_slug, headings), f'{page.name}: {link}'


@pytest.mark.parametrize('page', PAGES, ids=id_of)
def test_anchors_are_the_same_on_github_and_on_the_site(page):
    slugify = pytest.importorskip('markdown.extensions.toc').slugify
    for heading in re.findall(r'^#+ (.+)$', prose_of(page), re.M):
        assert slugify(heading, '-') == github_slug(heading)


def github_slug(heading):
    return re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')


def test_the_site_builds_without_network(tmp_path, monkeypatch):
    for package in ('mkdocs', 'material', 'mkdocstrings'):
        pytest.importorskip(package, reason='pip install "fdmae_mm[docs]"')
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    def refuse(*_):
        raise AssertionError('The site asks for the network.')

    monkeypatch.setattr(socket.socket, 'connect', refuse)
    config = load_config(str(ROOT / 'mkdocs.yml'), site_dir=str(tmp_path), strict=True)
    config.plugins.on_startup(command='build', dirty=False)
    build(config)  # raises where there was a warning
    pages = {path.name: path.read_text() for path in tmp_path.glob('*.html')}
    assert {page.with_suffix('.html').name for page in PAGES[1:]} <= set(pages)
    elsewhere = re.compile(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="?https?:')
    for name, text in pages.items():
        assert not elsewhere.search(text), name
    # What docs/hooks.py is for.
    assert ':class:' not in pages['api.html']
    assert 'href="../' not in pages['benchmarks.html']
