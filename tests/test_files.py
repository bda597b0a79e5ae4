import pytest

from fdmae_mm.files import written_whole


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
