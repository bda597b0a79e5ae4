"""Files that are whole or not there, their names, configs as text, what is shipped."""

import ast
import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePath


@contextlib.contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Give a file to write, which takes the place of ``path`` when the block has ended.

    An error or an interruption leaves no half-written file, and what was at ``path``.
    Missing folders are made. A link stays, and what it leads to is replaced.

    Args:
        path (str | os.PathLike): Where the file shall be. What is there and no regular
            file, such as ``/dev/stdout``, is written to as it is.

    Yields:
        Path: A file beside it, to write to.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        yield path
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # No process ID, which two containers may share; and short, as names are limited.
    part = path.with_name(f'.{secrets.token_hex(8)}.part')
    part.touch(exist_ok=False)  # with the permissions of any new file
    try:
        with naming(path):
            yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Add a path to an error of the system that has none, as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


@contextlib.contextmanager
def held(folder: str | os.PathLike) -> Iterator[int | None]:
    """Keep a folder for this process, and make it where it is missing.

    A process that ends gives it free, however it ends. On file systems without locks
    nothing is kept.

    Yields:
        int | None: Descriptor of the lock, which a process that inherits it holds too.

    Raises:
        OSError: Another process has it, or it cannot be made.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield None
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(
                f'{folder} is in use, by another run or by one that was left behind: '
                'give the same command again when that has ended, or take another '
                'folder.'
            ) from None
        except OSError:
            pass
        yield lock.fileno()


def is_hidden(path: PurePath) -> bool:
    """Whether a path leads through what a program put beside the files of a user.

    Such as ``.ipynb_checkpoints``, or ``__MACOSX`` and ``._a.npy`` of a Mac's archives.
    """
    return any(
        part == '__MACOSX' or (part.startswith('.') and part != '..')
        for part in path.parts
    )


def files_below(folder: str | os.PathLike) -> list[Path]:
    """All files in a folder and its subfolders, those behind links too, sorted.

    A link to a folder that it stands in is not followed, and what is hidden below the
    folder is left out. A link that leads nowhere counts as a file: who opens it learns
    that something is missing.

    Raises:
        OSError: A folder cannot be read.
    """

    def stop(error: OSError) -> None:
        raise error

    found = []
    ways = {os.fspath(folder): {os.path.realpath(folder)}}
    for parent, folders, names in os.walk(folder, onerror=stop, followlinks=True):
        way = ways.pop(parent)
        for name in list(folders):
            path = os.path.join(parent, name)
            real = os.path.realpath(path)
            if real in way or is_hidden(PurePath(name)):
                folders.remove(name)
            else:
                ways[path] = way | {real}
        for name in names:
            path = Path(parent, name)
            # No pipes or devices, which may block who reads them.
            kept = os.path.isfile(path) or not os.path.exists(path)
            if kept and not is_hidden(PurePath(name)):
                found.append(path)
    return sorted(found)


def printable(name: str | os.PathLike) -> str:
    r"""The name of a file as text that can be printed and written.

    Names are bytes. Those that are not UTF-8 become escapes: ``\xff``.
    """
    return os.fsencode(name).decode('utf-8', 'backslashreplace')


def config_setting(text: str, *keys: str) -> object:
    """A setting in the text of a config, which is read and not run.

    A config may be a stranger's, and one with an infinite number cannot be run.

    Args:
        text (str): As MMEngine writes it: assignments of calls of ``dict``.
        *keys (str): Where it stands, as ``'model', 'backbone', 'num_heads'``.

    Returns:
        object: The value, None where the text has no such setting.

    Raises:
        SyntaxError, TypeError, ValueError: The text is no Python, or the value no
            literal.
    """
    found = {
        getattr(node.targets[0], 'id', None): node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
    }
    first, *others = keys
    value = found.get(first)
    for key in others:
        given = {k.arg: k.value for k in getattr(value, 'keywords', ())}
        value = given.get(key)
    return None if value is None else ast.literal_eval(value)


def bare_name(kind: str | type) -> str:
    """Name of a ``type`` of a config: as it is, behind a scope, or of a class."""
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]


def shipped(*parts: str) -> Path:
    """A file or folder of the project: ``shipped('configs')``, ``shipped('tools')``.

    A wheel carries them in ``.mim``, where MIM looks for them; otherwise they stand
    beside the package.
    """
    package = Path(__file__).parent
    carried = package / '.mim'
    return (carried if carried.is_dir() else package.parent).joinpath(*parts)


def check_writable(path: str | os.PathLike) -> None:
    """Raise at once what writing a file would raise after the work; make its folder.

    Raises:
        OSError: The folder cannot be made or written to, or a folder has the name.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise OSError(f'{path} is a folder: name a file.')
    if target.exists() and not target.is_file():  # such as /dev/stdout
        return
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f'{path} cannot be written, {folder} is no folder: {error.strerror}.'
        ) from error
    if not os.access(folder, os.W_OK):
        raise OSError(f'{path} cannot be written: {folder} is write-protected.')
