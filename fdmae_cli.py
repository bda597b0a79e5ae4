"""The command ``fdmae``: finds the tool of a command and runs it.

A module beside the package and not in it: to import anything of fdmae_mm is to import
torch and mmaction, which takes seconds that ``fdmae --help`` has no need of.
"""

from __future__ import annotations

import argparse
import io
import runpy
import sys
import types
from collections.abc import Sequence
from pathlib import Path

#: Command -> its file in tools/, and what it does.
COMMANDS = {
    'quickstart': ('quickstart.py', 'the whole of it on a CPU, from data to a picture'),
    'convert': ('data/convert.py', 'make an annotation file of skeleton data'),
    'pool': ('data/pool.py', 'put training splits of several sets into one file'),
    'video': ('data/video_to_skeleton.py', 'the same of videos, by models of mmpose'),
    'train': ('train.py', 'pre-train, probe or fine-tune by a config'),
    'test': ('test.py', 'test a checkpoint by a config'),
    'probe': ('probe.py', 'linear probe and neighbours, on features computed once'),
    'infer': ('infer.py', 'classify clips and recordings: files, folders'),
    'view': ('view.py', 'one HTML page that plays clips and their reconstructions'),
    'plot': ('analysis/plot.py', 'plots of features, errors, attention, training'),
    'fuse': ('analysis/fuse_scores.py', 'fuse the scores of several streams'),
    'compare': ('analysis/compare_scores.py', 'two methods on the same clips'),
    'export': ('export.py', 'a trained model as ONNX or as a torch.export program'),
    'convert-checkpoint': ('convert_checkpoint.py', 'weights of MAMP, and safetensors'),
    'grid': ('grid.py', 'train and evaluate methods x data sets x seeds'),
    'table': ('benchmark_table.py', 'write the result tables of a source tree'),
    'benchmark': ('analysis/benchmark.py', 'speed and memory, and where the time goes'),
    'doctor': ('doctor.py', 'show what is installed, mended, missing or broken'),
}
PACKAGE = Path(__file__).with_name('fdmae_mm')


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool of a command; bad input becomes one line on stderr.

    Args:
        argv: Arguments without the program's name. Defaults to the command line.

    Returns:
        Exit status: 0, or 1 after bad input.

    Raises:
        SystemExit: From the tool, or where there is no such command (status 2).
        Exception: From the tool, if it does not look like bad input, or any if
            FDMAE_TRACEBACK is set in the environment.
    """
    argv = sys.argv[1:] if argv is None else argv
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name must not end a long run
            stream.reconfigure(errors='backslashreplace')
    parser = _parser()
    # What follows the command is the tool's, a --help too.
    command = parser.parse_args(argv[:1]).command
    if command is None:
        parser.print_help()
        return 0
    one_line = _load('errors.py')['one_line']
    run = one_line(ValueError, OSError, KeyError, ImportError)(_run)
    return run(command, argv[1:]) or 0


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    commands = '\n'.join(f'  {c:<{width}}  {does}' for c, (_, does) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog='fdmae',
        usage='%(prog)s COMMAND [ARGUMENTS]',
        description='Self-supervised skeleton encoders on MMAction2: FDMAE, MAMP, MAE.',
        epilog=f'commands:\n{commands}\n\n'
        'fdmae COMMAND --help shows its arguments, with examples.\n'
        'Bad input ends in a line "error: ..." and status 1; with FDMAE_TRACEBACK=1 in '
        'the\nenvironment, in the traceback.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version = _load('version.py')['__version__']
    parser.add_argument('--version', action='version', version=f'fdmae_mm {version}')
    parser.add_argument('command', nargs='?', choices=COMMANDS, help=argparse.SUPPRESS)
    return parser


def _load(file: str) -> dict:
    """Names of a file of the package, without importing the package."""
    return runpy.run_path(str(PACKAGE / file))


def _run(command: str, arguments: Sequence[str]) -> None:
    """Runs a tool as ``__main__``, under the name that its help shall show."""
    tool = _load('files.py')['shipped']('tools', COMMANDS[command][0])
    # runpy.run_path would put the path in place of that name.
    module = types.ModuleType('__main__')
    module.__file__ = str(tool)
    sys.modules['__main__'] = module
    sys.argv = [f'fdmae {command}', *arguments]
    exec(compile(tool.read_bytes(), tool, 'exec'), vars(module))


if __name__ == '__main__':
    sys.exit(main())
