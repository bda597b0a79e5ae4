import gzip
import importlib.util
import io
import json
import os
import re
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fdmae_mm.datasets.annotation import load_annotation
from fdmae_mm.datasets.converters import BadFileError, NWUCLAConverter, convert
from fdmae_mm.datasets.layouts import get_layout

SAMPLES = {
    # file name: (label, frames)
    'a01_s01_e00_v01': (1, 3),
    'a08_s02_e01_v02': (7, 6),  # labels count on where actions are missing
    'a12_s10_e04_v03': (10, 1),  # a single frame, as two real files have
}


@pytest.fixture(scope='module')
def convert_command():
    """main() of tools/data/convert.py."""
    path = Path(__file__).parents[3] / 'tools' / 'data' / 'convert.py'
    spec = importlib.util.spec_from_file_location('convert_command', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def record(name, **change):
    """The text of a file as NW-UCLA has it."""
    label, frames = SAMPLES.get(name, (1, 2))
    rng = np.random.default_rng(len(name))
    joints = rng.normal(size=(frames, 20, 3)).round(6).tolist()
    content = dict(file_name=name, skeletons=joints, label=label)
    return json.dumps(content | change)


@pytest.fixture
def folder(tmp_path):
    """nw_ucla/all_sqe/*.json with a file beside that is no sample."""
    files = tmp_path / 'nw_ucla' / 'all_sqe'
    files.mkdir(parents=True)
    for name in SAMPLES:
        (files / f'{name}.json').write_text(record(name))
    (files / 'README.txt').write_text('not a sample')
    return files


def archive_of(folder):
    path = folder.parents[1] / 'nw_ucla.tar.gz'
    with tarfile.open(path, 'w:gz') as archive:
        archive.add(folder.parent, arcname='nw_ucla')
    return path


def frame_dirs(annotation):
    return [sample['frame_dir'] for sample in annotation['annotations']]


def test_a_file_becomes_an_annotation(folder):
    annotation, skipped = convert(NWUCLAConverter(), folder)
    assert not skipped
    assert frame_dirs(annotation) == list(SAMPLES)
    sample = annotation['annotations'][1]
    joints = json.loads((folder / 'a08_s02_e01_v02.json').read_text())['skeletons']
    assert sample['keypoint'].dtype == np.float32
    assert np.allclose(sample['keypoint'], [joints], atol=1e-6)
    assert sample['keypoint'].shape == (1, 6, 20, 3)
    assert sample['total_frames'] == 6
    assert (sample['label'], sample['subject'], sample['view']) == (6, 2, 2)
    assert annotation['metainfo']['classes'][6] == 'donning'
    assert annotation['annotations'][2]['total_frames'] == 1


def test_cross_view_split(folder):
    annotation, _ = convert(NWUCLAConverter(), folder)
    assert annotation['split'] == dict(
        xview_train=['a01_s01_e00_v01', 'a08_s02_e01_v02'],
        xview_val=['a12_s10_e04_v03'],
    )


def test_archive_parent_folder_and_folder_are_one(folder):
    expected, _ = convert(NWUCLAConverter(), folder)
    for source in (folder.parent, archive_of(folder)):
        annotation, skipped = convert(NWUCLAConverter(), source)
        assert not skipped
        assert annotation['split'] == expected['split']
        for a, b in zip(
            annotation['annotations'], expected['annotations'], strict=True
        ):
            assert np.array_equal(a['keypoint'], b['keypoint'])


def test_archive_is_read_and_not_unpacked(tmp_path):
    source = tmp_path / 'inner' / 'evil.tar.gz'
    source.parent.mkdir()
    names = ['a01_s01_e00_v01', 'a08_s02_e01_v02', 'a12_s10_e04_v03']
    with tarfile.open(source, 'w:gz') as archive:
        for name, folder in zip(names, ('../', '/', ''), strict=True):
            content = record(name).encode()
            member = tarfile.TarInfo(f'{folder}{name}.json')
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo('a02_s01_e00_v01.json')
        link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
        archive.addfile(link)
    annotation, skipped = convert(NWUCLAConverter(), source)
    assert frame_dirs(annotation) == names
    assert not skipped
    assert os.listdir(tmp_path) == ['inner']
    assert os.listdir(tmp_path / 'inner') == ['evil.tar.gz']


def joints(frames=2, **at):
    array = np.ones((frames, 20, 3)).tolist()
    for value in at.values():
        array[0][0][0] = value
    return array


BAD = {
    'no valid json': '{"file_name": "a01_s01_e01_v01", "skel',
    'no valid json: maximum recursion': '[' * 200000,
    'expected a dict': '[1]',
    "no \\['skeletons'\\]": json.dumps(dict(file_name='a01_s01_e01_v01', label=1)),
    "file_name is 'a02": record('a01_s01_e01_v01', file_name='a02_s01_e01_v01'),
    'label is 2': record('a01_s01_e01_v01', label=2),
    r'shape \(2, 25, 3\)': record('a01_s01_e01_v01', skeletons=[[[0.0] * 3] * 25] * 2),
    r'shape \(0,\)': record('a01_s01_e01_v01', skeletons=[]),
    'no array of numbers': record('a01_s01_e01_v01', skeletons=[[[0.0], [0.0, 1.0]]]),
    '1 joints are NaN': record('a01_s01_e01_v01', skeletons=joints(x=np.nan)),
    '1 joints are NaN or inf': record('a01_s01_e01_v01', skeletons=joints(x=np.inf)),
}


@pytest.mark.parametrize(('reason', 'text'), BAD.items(), ids=range(len(BAD)))
def test_bad_file_is_listed_and_left_out(folder, reason, text):
    (folder / 'a01_s01_e01_v01.json').write_text(text)
    annotation, skipped = convert(NWUCLAConverter(), folder)
    assert frame_dirs(annotation) == list(SAMPLES)
    ((name, found),) = skipped
    assert name == 'a01_s01_e01_v01.json'
    assert re.search(reason, found)
    with pytest.raises(BadFileError, match=reason):
        convert(NWUCLAConverter(), folder, strict=True)


def test_action_that_the_set_does_not_have(folder):
    (folder / 'a07_s01_e01_v01.json').write_text(record('a07_s01_e01_v01'))
    _, skipped = convert(NWUCLAConverter(), folder)
    assert skipped == [('a07_s01_e01_v01.json', 'the set has no action 07')]


def test_second_file_of_a_name(folder):
    (folder / 'copy').mkdir()
    name = 'a01_s01_e00_v01'
    (folder / 'copy' / f'{name}.json').write_text(record(name))
    annotation, skipped = convert(NWUCLAConverter(), folder)
    assert skipped == [(f'copy/{name}.json', 'a second sample of this name')]
    assert len(annotation['annotations']) == 3


def test_strict_names_source_and_file(folder):
    (folder / 'a01_s01_e01_v01.json').write_text('')
    with pytest.raises(BadFileError, match=r'all_sqe, a01_s01_e01_v01\.json: no valid'):
        convert(NWUCLAConverter(), folder, strict=True)


def test_missing_source(tmp_path):
    with pytest.raises(FileNotFoundError, match='absent does not exist'):
        convert(NWUCLAConverter(), tmp_path / 'absent')


def test_source_without_samples(tmp_path):
    with pytest.raises(ValueError, match='holds no files aAA_sSS'):
        convert(NWUCLAConverter(), tmp_path)


def test_source_of_bad_files_only(tmp_path):
    (tmp_path / 'a01_s01_e01_v01.json').write_text('')
    with pytest.raises(ValueError, match=r'none of 1 files.*no valid json'):
        convert(NWUCLAConverter(), tmp_path)


@pytest.mark.parametrize('kept', [0.3, 0.9])
def test_incomplete_archive(folder, kept):
    path = archive_of(folder)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(ValueError, match=r'nw_ucla\.tar\.gz is no readable tar'):
        convert(NWUCLAConverter(), path)


def test_file_that_is_no_archive(tmp_path):
    with gzip.open(tmp_path / 'a.tar.gz', 'w') as file:
        file.write(b'no tar')
    with pytest.raises(ValueError, match='no readable tar or zip archive'):
        convert(NWUCLAConverter(), tmp_path / 'a.tar.gz')


def test_command(folder, tmp_path, convert_command, capsys):
    (folder / 'a01_s01_e01_v01.json').write_text('')
    out = tmp_path / 'data' / 'nw_ucla.pkl'
    assert convert_command(['nw_ucla', str(folder), str(out)]) == 0
    assert frame_dirs(load_annotation(out)) == list(SAMPLES)
    assert os.listdir(out.parent) == ['nw_ucla.pkl']
    printed = capsys.readouterr().out
    for line in (
        'sequences: 3',
        'subjects:  3',
        'frames:    1 / 3 / 6',
        'xview_train 2, xview_val 1',
        'skipped:   1',
        'a01_s01_e01_v01.json: no valid json',
        '0 pick up with one hand: 1',
    ):
        assert line in printed


def test_command_strict_writes_nothing(folder, tmp_path, convert_command, capsys):
    (folder / 'a01_s01_e01_v01.json').write_text('')
    out = tmp_path / 'nw_ucla.pkl'
    assert convert_command(['nw_ucla', str(folder), str(out), '--strict']) == 1
    assert 'error: ' in capsys.readouterr().err
    assert not out.exists()


def test_command_refuses_no_workers(folder, tmp_path, convert_command, capsys):
    with pytest.raises(SystemExit):
        convert_command(
            ['nw_ucla', str(folder), str(tmp_path / 'out.pkl'), '--workers', '0']
        )
    assert '--workers 0: must be at least 1' in capsys.readouterr().err


def test_command_synthetic(tmp_path, convert_command, capsys):
    out = tmp_path / 'synthetic.pkl'
    args = ['synthetic', str(out), '--subjects', '3', '--repetitions', '1']
    assert convert_command(args) == 0
    annotation = load_annotation(out)
    assert 'sequences: 180' in capsys.readouterr().out
    assert len(annotation['annotations']) == 180


def test_command_refuses_another_suffix(tmp_path, convert_command, capsys):
    with pytest.raises(SystemExit):
        convert_command(['synthetic', str(tmp_path / 'synthetic.npz')])
    assert 'must end in .pkl' in capsys.readouterr().err


def test_real_set_is_complete(nw_ucla_annotation):
    samples, split = nw_ucla_annotation['annotations'], nw_ucla_annotation['split']
    assert len(samples) == 1484
    assert {name: len(s) for name, s in split.items()} == dict(
        xview_train=1020, xview_val=464
    )
    assert Counter(sample['label'] for sample in samples) == dict(
        enumerate((150, 152, 141, 173, 148, 149, 142, 142, 145, 142))
    )
    assert {sample['subject'] for sample in samples} == set(range(1, 11))
    frames = [sample['total_frames'] for sample in samples]
    assert (min(frames), np.median(frames), max(frames)) == (1, 31, 201)
    layout = get_layout(nw_ucla_annotation['metainfo']['layout'])
    assert {sample['keypoint'].shape[2] for sample in samples} == {layout.num_joints}


def test_real_bodies_agree_with_the_layout(nw_ucla_annotation):
    layout = get_layout('kinect_v1')
    mean = np.concatenate(
        [sample['keypoint'][0] for sample in nw_ucla_annotation['annotations']]
    ).mean(axis=0)
    height = dict(zip(layout.joints, mean[:, 1], strict=True))
    assert height['head'] > height['shoulder_center'] > height['hip_center']
    assert height['hip_center'] > height['left_knee'] > height['left_ankle']
    # x points to the right of a person who faces the camera, as most do.
    for left, right in layout.left_right:
        assert mean[left, 0] < mean[right, 0]
