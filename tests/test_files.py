import errno
import fcntl
import os

import pytest

from fdmae_mm.files import (
    check_writable,
    files_below,
    held,
    naming,
    printable,
    written_whole,
)


def test_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    with written_whole(path) as part:
        part.write_text('whole')
        assert not path.exists()
    assert path.read_text() == 'whole'
    assert list(path.parent.iterdir()) == [path]


def test_error_leaves_what_was_there(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('before')
    with pytest.raises(KeyboardInterrupt), written_whole(path) as part:
        part.write_text('half')
        raise KeyboardInterrupt
    assert path.read_text() == 'before'
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(tmp_path):
    full = OSError(errno.ENOSPC, 'No space left on device')
    path = tmp_path / 'a.txt'
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.txt'"):
        with written_whole(path):
            raise full


def test_an_error_that_names_a_file_keeps_it():
    with pytest.raises(OSError, match=r"No such file: 'b\.txt'"), naming('a.txt'):
        raise OSError(errno.ENOENT, 'No such file', 'b.txt')


def test_a_folder_is_held_until_its_process_ends(tmp_path):
    folder = tmp_path / 'new'
    with held(folder):
        with pytest.raises(OSError, match=r'new is in use, by another run'):
            with held(folder):
                pytest.fail('two have it')
    with held(folder):
        pass


def test_a_folder_that_cannot_be_locked_is_used(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', no_locks)
    with held(tmp_path), held(tmp_path):
        pass


def test_two_that_write_at_once_share_no_file(tmp_path):
    path = tmp_path / 'a.txt'
    # As two containers, whose processes have one ID.
    with written_whole(path) as first, written_whole(path) as second:
        first.write_text('first')
        second.write_text('2')
    assert path.read_text() == 'first'
    assert list(tmp_path.iterdir()) == [path]


def test_file_has_the_permissions_of_any_and_a_name_of_any_length(tmp_path):
    path, plain = tmp_path / ('a' * 255), tmp_path / 'plain'
    plain.touch()
    with written_whole(path) as part:
        part.write_text('whole')
    assert path.stat().st_mode == plain.stat().st_mode


def test_links_stay(tmp_path):
    link, target = tmp_path / 'link', tmp_path / 'disk' / 'a.txt'
    link.symlink_to(target)
    for text in 'new', 'again':
        with written_whole(link) as part:
            part.write_text(text)
        assert link.is_symlink()
        assert target.read_text() == text
        assert list(target.parent.iterdir()) == [target]


def test_what_is_no_regular_file_is_written_to(tmp_path):
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    path = tmp_path / 'stdout'
    path.symlink_to(f'/proc/self/fd/{writer}')  # as /dev/stdout is
    with written_whole(path) as part:
        part.write_text('whole')
    assert os.read(reader, 9) == b'whole'
    assert path.is_symlink()
    os.close(reader)
    os.close(writer)


def test_files_behind_links_are_found_and_loops_are_not_followed(tmp_path):
    root, elsewhere = tmp_path / 'root', tmp_path / 'elsewhere'
    for folder in root / 'sit', elsewhere:
        folder.mkdir(parents=True)
        (folder / '0.npy').touch()
    (root / 'wave').symlink_to(elsewhere)
    (root / 'walk').symlink_to(elsewhere)  # twice is no loop
    (root / 'sit' / 'up').symlink_to(root)
    (root / 'sit' / 'in').mkdir()
    (root / 'sit' / 'in' / 'up').symlink_to(root / 'sit')
    (elsewhere / 'back').symlink_to(root)
    found = [str(path.relative_to(root)) for path in files_below(root)]
    assert found == ['sit/0.npy', 'walk/0.npy', 'wave/0.npy']


def test_links_that_lead_nowhere_are_found_and_pipes_are_not(tmp_path):
    (tmp_path / 'nowhere.npy').symlink_to(tmp_path / 'absent')
    os.mkfifo(tmp_path / 'pipe.npy')
    assert files_below(tmp_path) == [tmp_path / 'nowhere.npy']


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    (tmp_path / 'wave').mkdir()
    scandir = os.scandir

    def closed(folder):  # root may read every folder
        if os.path.basename(folder) == 'wave':
            raise PermissionError(13, 'Permission denied', folder)
        return scandir(folder)

    monkeypatch.setattr(os, 'scandir', closed)
    with pytest.raises(PermissionError, match='wave'):
        files_below(tmp_path)


def test_hidden_files_are_left_out_but_the_folder_may_be_hidden(tmp_path):
    root = tmp_path / '.cache' / '.set'
    for name in (
        'a/0.npy',
        'a/._0.npy',
        'a/.ipynb_checkpoints/0.npy',
        '__MACOSX/0.npy',
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    assert files_below(root) == [root / 'a' / '0.npy']


def test_names_that_are_no_utf8_are_escaped():
    assert printable(os.fsdecode('é'.encode() + b'\xff')) == r'é\xff'


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch):
    check_writable(tmp_path / 'a' / 'b.pkl')
    assert (tmp_path / 'a').is_dir()
    check_writable('/dev/null')
    with pytest.raises(OSError, match='a is a folder'):
        check_writable(tmp_path / 'a')
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match=r'b\.pkl cannot be written, .*file is no folder'):
        check_writable(tmp_path / 'file' / 'b.pkl')
    monkeypatch.setattr('os.access', lambda *_: False)  # to root nothing is denied
    with pytest.raises(OSError, match=r'b\.pkl cannot be .*a is write-protected'):
        check_writable(tmp_path / 'a' / 'b.pkl')
