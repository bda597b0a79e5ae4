"""The command `fdmae`: the real tools, run in this process."""

import subprocess
import sys
from pathlib import Path

import pytest

import fdmae_cli
from fdmae_mm.errors import one_line
from fdmae_mm.version import __version__

ROOT = Path(__file__).parents[1]


@pytest.fixture
def fdmae(monkeypatch):
    """Runs the command here, as `__main__`; gives its exit status."""
    monkeypatch.delenv('FDMAE_TRACEBACK', raising=False)

    def run(*arguments):
        with monkeypatch.context() as patch:
            patch.setattr('sys.argv', sys.argv)
            patch.setitem(sys.modules, '__main__', sys.modules['__main__'])
            return fdmae_cli.main(arguments)

    return run


@pytest.fixture
def fdmae_running(fdmae, monkeypatch, tmp_path):
    """The same with a tool of these lines in the place of `fdmae probe`."""

    def run(lines):
        tool = tmp_path / 'tool.py'
        tool.write_text(lines)
        monkeypatch.setitem(fdmae_cli.COMMANDS, 'probe', (str(tool), ''))
        return fdmae('probe', '--few-shot', '5')

    return run


# Runs where the package is not installed.
ALONE = {'onnx_infer.py'}


def test_every_tool_is_a_command():
    tools = {
        p.relative_to(ROOT / 'tools').as_posix() for p in ROOT.glob('tools/**/*.py')
    }
    assert {file for file, _ in fdmae_cli.COMMANDS.values()} == tools - ALONE


@pytest.mark.parametrize('arguments', [[], ['--help'], ['--version']])
def test_what_needs_no_torch_does_not_wait_for_it(arguments):
    code = (
        'import atexit, sys, fdmae_cli\n'
        "heavy = {'torch', 'numpy', 'mmengine', 'mmaction', 'fdmae_mm'}\n"
        'atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n'
        'sys.exit(fdmae_cli.main())'
    )
    result = subprocess.run(
        [sys.executable, '-c', code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    *text, imported = result.stdout.splitlines()
    assert imported == '[]'
    if arguments == ['--version']:
        assert text == [f'fdmae_mm {__version__}']
    else:
        shown = {line.split()[0] for line in text if line.startswith('  ')}
        assert set(fdmae_cli.COMMANDS) <= shown


@pytest.mark.parametrize('command', fdmae_cli.COMMANDS)
def test_help_has_an_example_under_the_name_of_the_command(command, fdmae, capsys):
    with pytest.raises(SystemExit) as end:
        fdmae(command, '--help')
    assert not end.value.code
    usage, *rest = capsys.readouterr().out.splitlines()
    assert usage.startswith(f'usage: fdmae {command} [-h]')
    assert any(line.strip().startswith(f'fdmae {command}') for line in rest)


def test_an_unknown_command_is_a_usage_error(fdmae, capsys):
    with pytest.raises(SystemExit) as end:
        fdmae('trian')
    assert end.value.code == 2
    assert "invalid choice: 'trian'" in capsys.readouterr().err


def test_a_tool_runs_as_the_main_module(fdmae_running, capsys):
    assert fdmae_running('import sys; print(__name__, __file__, sys.argv)') == 0
    name, file, argv = capsys.readouterr().out.split(maxsplit=2)
    assert (name, Path(file).name) == ('__main__', 'tool.py')
    assert argv == "['fdmae probe', '--few-shot', '5']\n"


def test_the_exit_status_of_a_tool_is_that_of_the_command(fdmae_running):
    with pytest.raises(SystemExit) as end:
        fdmae_running('import sys; sys.exit(3)')
    assert end.value.code == 3


@pytest.mark.parametrize(
    ('raised', 'shown'),
    [
        ("ValueError('clip_len=7 is odd')", 'error: clip_len=7 is odd\n'),
        ("KeyError('Unknown layout x')", 'error: Unknown layout x\n'),
        (
            "FileNotFoundError(2, 'No such file', 'x.pkl')",
            "error: [Errno 2] No such file: 'x.pkl'\n",
        ),
        ("ImportError('pip install mmcv-lite')", 'error: pip install mmcv-lite\n'),
    ],
)
def test_bad_input_is_one_line(fdmae_running, capsys, monkeypatch, raised, shown):
    assert fdmae_running(f'raise {raised}') == 1
    assert capsys.readouterr().err == shown
    monkeypatch.setenv('FDMAE_TRACEBACK', '1')
    with pytest.raises((ValueError, KeyError, OSError, ImportError)):
        fdmae_running(f'raise {raised}')


@pytest.mark.parametrize('mistake', ["{}['key']", '1 / 0', "raise RuntimeError('a b')"])
def test_a_mistake_in_the_code_keeps_its_traceback(fdmae_running, mistake):
    with pytest.raises((KeyError, ZeroDivisionError, RuntimeError)):
        fdmae_running(mistake)


def test_a_tool_by_itself_tells_an_error_as_the_command_does(capsys):
    @one_line(KeyError)
    def main():
        raise KeyError('Unknown layout x')

    assert main() == 1
    assert capsys.readouterr().err == 'error: Unknown layout x\n'


def test_a_config_is_known_by_its_name(fdmae, capsys, monkeypatch, tmp_path):
    # The option is refused after the config was read.
    arguments = 'test', 'knn_synthetic', 'x.pth', '--dump', 'scores.csv'
    assert fdmae(*arguments) == 1
    assert 'scores.csv: predictions are written to a .pkl' in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_line(fdmae, capsys):
    assert fdmae('fuse', 'absent.pkl') == 1
    assert capsys.readouterr().err.startswith('error: absent.pkl does not exist. ')


def test_a_config_that_is_not_there_names_those_that_come_close(fdmae, capsys):
    assert fdmae('train', 'fdmea_synthetic') == 1
    message = capsys.readouterr().err
    assert message.startswith('error: There is no config fdmea_synthetic')
    assert 'Did you mean fdmae_synthetic' in message


def test_a_tool_that_tells_its_errors_keeps_the_traceback_too(
    fdmae, capsys, monkeypatch, tmp_path
):
    arguments = 'convert', 'nw_ucla', str(tmp_path / 'no'), str(tmp_path / 'a.pkl')
    with pytest.raises(SystemExit, match='1'):
        fdmae(*arguments)
    assert capsys.readouterr().err.startswith('error: ')
    monkeypatch.setenv('FDMAE_TRACEBACK', '1')
    with pytest.raises(FileNotFoundError):
        fdmae(*arguments)
