"""What converters share: sources, workers, side files, options."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import tarfile
import zipfile
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
import pytest

from fdmae_mm.datasets.converters import (
    BadFileError,
    BaseConverter,
    FolderConverter,
    LeftOut,
    convert,
    summarize,
)
from fdmae_mm.datasets.converters.base import (
    _Group,
    _parse_all,
    _read,
    train_and_val,
)
from fdmae_mm.datasets.layouts import get_layout


class LengthConverter(BaseConverter):
    """A file holds the number of its frames; labels.txt says which file is of class 1.

    A plug-in as a user would write one.
    """

    format, layout, source, files = 'length', 'sbu', 'a test', 'files *.len'
    classes = ('zero', 'one')
    ones = ()

    def accepts(self, path: PurePosixPath) -> bool:
        return path.suffix == '.len'

    def is_side_file(self, path: PurePosixPath) -> bool:
        return path.name == 'labels.txt'

    def read_side_file(self, path: PurePosixPath, file: BinaryIO) -> None:
        self.ones = file.read().decode().split()

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        try:
            frames = int(file.read())
        except ValueError as error:
            raise BadFileError(f'no number: {error}') from error
        if not frames:
            return [LeftOut(path.stem, 'it is known to be empty')]
        return [
            dict(
                frame_dir=path.stem,
                label=int(path.stem in self.ones),
                keypoint=np.ones((1, frames, 15, 3), np.float32),
                total_frames=frames,
            )
        ]

    def split(self, annotations: list[dict]) -> dict[str, list[str]]:
        return dict(train=[a['frame_dir'] for a in annotations])


FILES = {'x/b.len': '3', 'a.len': '2', 'y/labels.txt': 'b', 'bad.len': 'two'}


def folder_of(tmp_path):
    for name, content in FILES.items():
        (tmp_path / 'src' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'src' / name).write_text(content)
    return tmp_path / 'src'


def tar_of(tmp_path):
    with tarfile.open(tmp_path / 'src.tar.gz', 'w:gz') as archive:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    return tmp_path / 'src.tar.gz'


def zip_of(tmp_path):
    with zipfile.ZipFile(tmp_path / 'src.zip', 'w') as archive:
        archive.writestr('x/', '')
        for name, content in FILES.items():
            archive.writestr(name, content)
    return tmp_path / 'src.zip'


@pytest.mark.parametrize('source_of', [folder_of, tar_of, zip_of])
def test_hidden_files_are_no_part_of_a_source(tmp_path, monkeypatch, source_of):
    for name in ('x/.b.len', '__MACOSX/x/a.len', '.old/c.len', '.old/labels.txt'):
        monkeypatch.setitem(FILES, name, 'a')
    monkeypatch.setitem(FILES, './seen.len', '1')  # as tar names the files of '.'
    hidden = tmp_path / '.mine'
    hidden.mkdir()
    annotation, skipped = convert(LengthConverter(), source_of(hidden))
    found = [(a['frame_dir'], a['label']) for a in annotation['annotations']]
    assert found == [('a', 0), ('b', 1), ('seen', 0)]
    assert [name for name, _ in skipped] == ['bad.len']


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize('source_of', [folder_of, tar_of, zip_of])
def test_every_source_and_number_of_workers_gives_the_same(
    tmp_path, source_of, workers
):
    annotation, skipped = convert(
        LengthConverter(), source_of(tmp_path), workers=workers
    )
    found = [
        (a['frame_dir'], a['label'], a['total_frames'])
        for a in annotation['annotations']
    ]
    assert found == [('a', 0, 2), ('b', 1, 3)]
    ((name, reason),) = skipped
    assert name == 'bad.len'
    assert reason.startswith('no number')


class KilledConverter(LengthConverter):
    """The system kills who reads a file."""

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_an_error_with_a_way_out(tmp_path):
    with pytest.raises(ValueError, match=r'killed, .* use fewer workers \(--workers'):
        convert(KilledConverter(), folder_of(tmp_path), workers=2)


class EndlessConverter(LengthConverter):
    """Tells that it reads, and does not come to an end."""

    def __init__(self, pipe):
        self.pipe = pipe

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        self.pipe.send('reading')
        signal.pause()


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    context = multiprocessing.get_context('fork')
    reader, writer = context.Pipe(duplex=False)
    parent = context.Process(
        target=convert,
        args=(EndlessConverter(writer), folder_of(tmp_path)),
        kwargs=dict(workers=2),
    )
    parent.start()
    writer.close()
    with pytest.raises(EOFError):  # raised when nobody is left who could send
        while reader.recv() and reader.poll(60):
            parent.terminate()
    parent.join()


def test_workers_do_not_hold_all_files_at_once():
    opened = []

    def open_file(number):
        opened.append(number)
        return io.BytesIO(b'1')

    paths = [PurePosixPath(f'{number}.len') for number in range(20)]
    groups = [_Group(p, [(p, partial(open_file, p.stem))]) for p in paths]
    parsed = _parse_all(partial(_read, LengthConverter(), 'error'), groups, workers=2)
    assert next(parsed)[0] == paths[0]
    assert len(opened) < len(paths)
    assert [path for path, _ in parsed] == paths[1:]


class TwiceConverter(LengthConverter):
    """A file has two samples of one name."""

    def parse(self, path: PurePosixPath, file: BinaryIO) -> list[dict]:
        return 2 * super().parse(path, file)


def test_the_samples_of_a_file_have_names_of_their_own(tmp_path):
    with pytest.raises(ValueError, match=r'a\.len: a second sample of this name'):
        convert(TwiceConverter(), folder_of(tmp_path))


def test_a_folder_may_be_called_as_a_file_is(tmp_path):
    folder = folder_of(tmp_path).rename(tmp_path / 'src.len')
    assert len(convert(LengthConverter(), folder)[0]['annotations']) == 2


def test_single_file(tmp_path):
    annotation, _ = convert(LengthConverter(), folder_of(tmp_path) / 'a.len')
    assert annotation['split'] == {'train': ['a']}


@pytest.mark.parametrize('workers', [1, 2])
def test_strict_names_the_file(tmp_path, workers):
    with pytest.raises(BadFileError, match=r'src, bad.len: no number'):
        convert(LengthConverter(), folder_of(tmp_path), strict=True, workers=workers)


@pytest.mark.parametrize('strict', [False, True])
def test_what_is_printed_next_begins_a_line(tmp_path, capsys, strict):
    with contextlib.suppress(BadFileError):
        convert(LengthConverter(), folder_of(tmp_path), strict=strict)
    assert capsys.readouterr().err.endswith('\n')


@pytest.mark.parametrize('workers', [0, -3])
def test_number_of_workers(tmp_path, workers):
    with pytest.raises(ValueError, match=f'workers={workers} must be at least 1'):
        convert(LengthConverter(), folder_of(tmp_path), workers=workers)


@pytest.mark.parametrize('workers', [1, 2])
def test_a_file_that_cannot_be_read_is_left_out(tmp_path, workers):
    folder = folder_of(tmp_path)
    (folder / 'closed.len').symlink_to('/proc/self/mem')  # an I/O error
    annotation, skipped = convert(LengthConverter(), folder, workers=workers)
    assert len(annotation['annotations']) == 2
    assert [name for name, _ in skipped] == ['bad.len', 'closed.len']
    assert 'Input/output error' in skipped[1][1]


def test_a_link_that_leads_nowhere_is_left_out(tmp_path):
    folder = folder_of(tmp_path)
    (folder / 'c.len').symlink_to('absent')
    (folder / 'more').symlink_to('absent')  # perhaps a folder of them
    _, skipped = convert(LengthConverter(), folder)
    reasons = dict(skipped)
    assert sorted(reasons) == ['bad.len', 'c.len', 'more']
    assert 'No such file' in reasons['c.len']
    assert reasons['more'] == 'a link that leads nowhere'


@pytest.mark.parametrize('workers', [1, 2])
def test_an_encrypted_zip_says_so(tmp_path, workers):
    path = zip_of(tmp_path)
    content = bytearray(path.read_bytes())
    for signature, flags in (b'PK\x03\x04', 6), (b'PK\x01\x02', 8):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            name = content[at : at + 80]
            if b'.len' in name[: name.find(b'PK', 4)]:
                content[at + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'none of 3 files .*a\.len.* is encrypted'):
        convert(LengthConverter(), path, workers=workers)


def test_what_is_no_number_can_be_what_was_not_measured(tmp_path):
    path = tmp_path / 'wave' / '0.npy'
    path.parent.mkdir()
    joints = np.ones((1, 4, 15, 3), np.float32)
    joints[0, 1, 2, 0] = np.nan
    np.save(path, joints)
    with pytest.raises(
        ValueError, match=r'1 joints are NaN .*--non-finite zero\) takes'
    ):
        convert(FolderConverter('sbu'), tmp_path)
    annotation, skipped = convert(FolderConverter('sbu'), tmp_path, non_finite='zero')
    assert not skipped
    (clip,) = annotation['annotations']
    assert np.argwhere((clip['keypoint'] == 0).all(-1)).tolist() == [[0, 1, 2]]
    with pytest.raises(ValueError, match="non_finite='drop' must be 'error' or 'zero'"):
        convert(FolderConverter('sbu'), tmp_path, non_finite='drop')


def test_summary_tells_who_is_in_training_and_test():
    keypoint = np.ones((1, 2, 15, 3), np.float32)
    persons = dict(a='1', b='1', c='2', d='3', e='3', f=None)
    samples = [
        dict(frame_dir=name, label=0, keypoint=keypoint, total_frames=2)
        | (dict(subject=person) if person else {})
        for name, person in persons.items()
    ]
    split = dict(
        xsub_train=['a', 'b', 'f'],
        xsub_val=['c', 'd', 'e'],
        fold1_train=['a', 'c', 'd', 'f'],
        fold1_val=['b', 'e', 'f'],
        fold2_val=['a'],
    )
    annotation = dict(
        split=split, annotations=samples, metainfo=dict(classes=['x'], layout='sbu')
    )
    lines = summarize(annotation, []).splitlines()
    shared = [line for line in lines if 'of its test' in line]
    assert shared == ['  fold1_train: 2 of 2 subjects of its test are in it']
    for sample in samples:  # some sets tell the pair and not who is who
        sample['pair'] = sample.pop('subject', None)
    assert '2 of 2 pairs of its test are in it' in summarize(annotation, [])


@pytest.mark.parametrize('source_of', [folder_of, tar_of])
def test_names_that_are_no_utf8_are_escaped(tmp_path, monkeypatch, source_of):
    monkeypatch.setitem(FILES, os.fsdecode(b'a\xff.len'), '1')
    monkeypatch.setitem(FILES, os.fsdecode(b'bad\xff.len'), 'one')
    annotation, skipped = convert(LengthConverter(), source_of(tmp_path))
    assert annotation['split']['train'] == ['a', r'a\xff', 'b']
    assert [name for name, _ in skipped] == ['bad.len', r'bad\xff.len']
    summarize(annotation, skipped).encode()  # as print does


def test_summary_warns_of_bodies_upside_down():
    low, high = get_layout('kinect_v1').spine
    down = np.zeros((1, 3, 20, 3), np.float32)
    down[:, :, low, 1], down[:, :, high, 1] = 1, 0.5  # y down, as an image has it
    down[:, 2] = 0
    flat = dict(keypoint=np.zeros((1, 3, 20, 3), np.float32))
    samples = [dict(keypoint=down), dict(keypoint=-down), dict(keypoint=down), flat]
    samples = [
        dict(sample, frame_dir=f'{i}', label=0, total_frames=3)
        for i, sample in enumerate(samples)
    ]
    metainfo = dict(classes=['a'], layout='kinect_v1')

    def text(samples, **change):
        content = dict(split={}, annotations=samples, metainfo=metainfo | change)
        return summarize(content, [])

    assert 'warning:   y points down in 2 of 3 sequences; ' in text(samples[:3])
    assert 'negate y and z' in text(samples[:3])
    assert 'warning' not in text(samples)  # not in most
    # Without a spine from the hips to the shoulders.
    coco = get_layout('coco')
    down = np.zeros((1, 3, 17, 3), np.float32)
    down[:, :, coco.hips, 1], down[:, :, coco.shoulders, 1] = 1, 0.5
    found = [dict(samples[0], keypoint=down)]
    assert 'y points down in 1 of 1 sequences' in text(found, layout='coco')
    assert 'warning' not in text([dict(samples[0], keypoint=-down)], layout='coco')
    flat = [dict(sample, keypoint=sample['keypoint'][..., :2]) for sample in samples]
    assert 'warning' not in text(flat[:3])  # pixels count from above


def test_damaged_zip(tmp_path):
    path = zip_of(tmp_path)
    content = bytearray(path.read_bytes())
    at = content.index(b'a.len') + len(b'a.len')
    content[at] ^= 1  # its only byte is no longer what its checksum says
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'src.zip is no readable tar or zip archive'):
        convert(LengthConverter(), path)


def test_what_is_left_out_is_told_and_makes_no_file_bad(tmp_path):
    folder = folder_of(tmp_path)
    (folder / 'bad.len').write_text('0')
    _, skipped = convert(LengthConverter(), folder, strict=True)
    assert skipped == [('bad', 'it is known to be empty')]
    with pytest.raises(
        ValueError, match=r'none of 1 files could be used\. The first, bad: it is'
    ):
        convert(LengthConverter(), folder / 'bad.len')


def test_a_rule_divides_a_set():
    clips = [
        dict(frame_dir=name, view=view)
        for name, view in zip('abc', (1, 2, 1), strict=True)
    ]
    splits = train_and_val(clips, xview=lambda clip: clip['view'] == 1, all=bool)
    assert splits == dict(
        xview_train=['a', 'c'], xview_val=['b'], all_train=['a', 'b', 'c'], all_val=[]
    )
