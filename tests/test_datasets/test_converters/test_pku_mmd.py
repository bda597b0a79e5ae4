import re

import numpy as np
import pytest

from fdmae_mm.datasets.converters import (
    CONVERTERS,
    BadFileError,
    PKUMMD1Converter,
    PKUMMD2Converter,
    convert,
)

SKELETONS, LABELS = 'Data/PKU_Skeleton_Renew', 'Label/Train_Label_PKU_final'


def recording_of(num_frames, persons=2):
    """A recording whose coordinates tell frame and place: (T, 150)."""
    frames = np.arange(num_frames * 150).reshape(num_frames, 150) / 1000 + 1
    frames[:, 75 * persons :] = 0
    return frames


def write(root, name, frames, labels, skeletons=SKELETONS, label_folder=LABELS):
    for folder in (skeletons, label_folder):
        (root / folder).mkdir(parents=True, exist_ok=True)
    np.savetxt(root / skeletons / f'{name}.txt', frames, fmt='%.6f')
    (root / label_folder / f'{name}.txt').write_text(labels)


def frame_dirs(annotation):
    return [sample['frame_dir'] for sample in annotation['annotations']]


@pytest.mark.parametrize('workers', [1, 2])
@pytest.mark.parametrize(
    ('skeletons', 'label_folder'),
    [(SKELETONS, LABELS), ('skeleton', 'label'), ('.', 'Label_PKUMMD')],
)
def test_clips_are_cut_by_the_labels(tmp_path, workers, skeletons, label_folder):
    frames = recording_of(9)
    write(tmp_path, '0002-M', frames, '8,0,3,1\n\n51,4,9,2\n', skeletons, label_folder)
    write(tmp_path, '0003-L', frames, '1,2,5,1\n', skeletons, label_folder)
    annotation, skipped = convert(PKUMMD1Converter(), tmp_path, workers=workers)
    assert not skipped
    assert frame_dirs(annotation) == ['0002-M_000', '0002-M_001', '0003-L_000']
    assert [a['label'] for a in annotation['annotations']] == [7, 50, 0]
    assert annotation['metainfo']['classes'][7] == 'drink water'
    sample = annotation['annotations'][1]
    keypoint = sample.pop('keypoint')
    assert keypoint.dtype == np.float32
    # (T, M * V * C) -> (M, T, V, C): 75 numbers are a person, three a joint.
    assert keypoint.shape == (2, 5, 25, 3)
    assert np.allclose(keypoint[0, 0, 1], frames[4, 3:6])
    assert np.allclose(keypoint[1, 4, 24], frames[8, 147:])
    assert sample == dict(
        frame_dir='0002-M_001',
        label=50,
        total_frames=5,
        recording='0002-M',
        view='M',
    )


def test_subject_of_phase_2(tmp_path):
    write(tmp_path, 'A26N13-R', recording_of(4), '3,0,4,1\n')
    annotation, _ = convert(PKUMMD2Converter(), tmp_path)
    (sample,) = annotation['annotations']
    assert sample['frame_dir'] == 'A26N13-R_000'
    assert (sample['subject'], sample['view']) == (13, 'R')


def test_person_of_zeros_is_dropped_in_a_clip(tmp_path):
    frames = recording_of(8)
    frames[:5, 75:] = 0
    frames[5:7, :75] = 0
    write(tmp_path, '0002-L', frames, '1,0,4,1\n1,3,6,1\n1,5,7,1\n')
    annotation, _ = convert(PKUMMD1Converter(), tmp_path)
    first, both, second = (a['keypoint'] for a in annotation['annotations'])
    assert first.shape == (1, 4, 25, 3)
    assert both.shape == (2, 3, 25, 3)
    assert not both[1, :2].any()
    assert both[1, 2].all()
    assert second.shape == (1, 2, 25, 3)
    assert np.allclose(second[0, 0, 0], frames[5, 75:78])


def test_clips_of_nothing_are_left_out(tmp_path):
    frames = recording_of(8, persons=1)
    frames[2:4] = 0
    labels = '1,0,2,1\n1,2,4,1\n1,6,5,1\n1,5,5,1\n1,3,5,1\n'
    write(tmp_path, '0002-L', frames, labels)
    annotation, skipped = convert(PKUMMD1Converter(), tmp_path, strict=True)
    assert [name for name, _ in skipped] == ['0002-L_001', '0002-L_002', '0002-L_003']
    assert skipped[0][1] == 'nobody is seen from frame 2 to 4'
    # Names count the lines of the label file.
    assert frame_dirs(annotation) == ['0002-L_000', '0002-L_004']
    assert not annotation['annotations'][1]['keypoint'][:, 0].any()


TEXT = '\n'.join([' '.join(['1.5'] * 150)] * 4)
BAD = {
    'the file is empty': (' \n', '1,0,2,1'),
    'lines have 75 numbers, expected 150': (' '.join(['1'] * 75), '1,0,1,1'),
    'not 150 numbers a line: .* changed from 150 to 149 at row 4$': (
        TEXT[:-4],
        '1,0,2,1',
    ),
    'not 150 numbers a line: .* changed from 150 to 151': (TEXT + ' 2', '1,0,2,1'),
    "not 150 numbers a line: .*'1.5x'": (TEXT + 'x', '1,0,2,1'),
    'line 2 of its labels, Label/.*/0003-L.txt, .* 2 to 5, but .* has 4 frames': (
        TEXT,
        '1,0,4,1\n1,2,5,1',
    ),
    'from frame -1 to 2': (TEXT, '1,-1,2,1'),
    'line 1 of its labels, .*, has the action 52, expected 1 to 51': (TEXT, '52,0,2,1'),
    'the action 0, expected': (TEXT, '0,0,2,1'),
    'its labels, .*/0003-L.txt, are not lines of action,start,end': (TEXT, '1,0\n'),
    "its labels, .*, are not lines .*'two'": (TEXT, '1,0,two,1\n'),
    'joints are NaN': (TEXT.replace('1.5', 'nan', 1), '1,0,2,1'),
}


@pytest.mark.parametrize(('reason', 'texts'), BAD.items(), ids=range(len(BAD)))
def test_bad_file_is_listed_and_left_out(tmp_path, reason, texts):
    write(tmp_path, '0002-L', recording_of(4), '1,0,4,1\n')
    write(tmp_path, '0003-L', recording_of(4), '1,0,4,1\n')
    for folder, text in zip((SKELETONS, LABELS), texts, strict=True):
        (tmp_path / folder / '0003-L.txt').write_text(text)
    annotation, skipped = convert(PKUMMD1Converter(), tmp_path)
    assert frame_dirs(annotation) == ['0002-L_000']
    ((name, found),) = skipped
    assert name == f'{SKELETONS}/0003-L.txt'
    assert re.search(reason, found)
    with pytest.raises(BadFileError, match=reason):
        convert(PKUMMD1Converter(), tmp_path, strict=True)


def test_labels_of_one_recording_in_two_folders(tmp_path):
    write(tmp_path, '0002-L', recording_of(4), '1,0,4,1\n')
    (tmp_path / 'my_labels').mkdir()
    second = tmp_path / 'my_labels' / '0002-L.txt'
    second.write_text('1,0,4,1\n')  # a copy does no harm
    annotation, _ = convert(PKUMMD1Converter(), tmp_path)
    assert frame_dirs(annotation) == ['0002-L_000']
    second.write_text('0\n1\n1\n0\n')
    with pytest.raises(
        BadFileError, match=r'Label/.*/0002-L.txt and my_labels/0002-L.txt .* differ'
    ):
        convert(PKUMMD1Converter(), tmp_path)


def test_recording_without_labels(tmp_path):
    write(tmp_path, '0002-L', recording_of(4), '1,0,4,1\n')
    with pytest.raises(ValueError, match=r'0002-L.txt: no labels: 0002-L.txt is in no'):
        convert(PKUMMD1Converter(), tmp_path / 'Data')


def test_phases_do_not_mix(tmp_path):
    write(tmp_path, '0002-L', recording_of(4), '1,0,4,1\n')
    write(tmp_path, 'A01N01-L', recording_of(4), '1,0,4,1\n')
    (tmp_path / 'Split').mkdir()
    (tmp_path / 'Split' / 'README.txt').write_text('not a recording')
    for converter, name in (
        (PKUMMD1Converter(), '0002-L_000'),
        (PKUMMD2Converter(), 'A01N01-L_000'),
    ):
        annotation, skipped = convert(converter, tmp_path)
        assert frame_dirs(annotation) == [name]
        assert not skipped
    (tmp_path / SKELETONS / '0002-L.txt').unlink()
    with pytest.raises(ValueError, match=r'holds no recordings 0002-L\.txt'):
        convert(PKUMMD1Converter(), tmp_path)


def splits_of(converter, root, names):
    """Splits by protocol: the names in training and those in validation."""
    for name in names:
        write(root, name, recording_of(2), '1,0,2,1\n')
    split = convert(converter, root)[0]['split']
    return {
        protocol: tuple(
            [name.removesuffix('_000') for name in split[f'{protocol}_{part}']]
            for part in ('train', 'val')
        )
        for protocol in ('xsub', 'xview')
    }


def test_published_rules_of_phase_1(tmp_path):
    names = ['0290-L', '0291-M', '0334-R', '0335-L']
    a, b, c, d = names
    assert splits_of(PKUMMD1Converter(), tmp_path, names) == dict(
        xsub=([a, d], [b, c]), xview=([b, c], [a, d])
    )


def test_published_rules_of_phase_2(tmp_path):
    names = ['A01N01-L', 'A02N03-M', 'A03N07-R', 'A07N04-R', 'A26N02-L']
    a, b, c, d, e = names
    assert splits_of(PKUMMD2Converter(), tmp_path, names) == dict(
        xsub=([a, d], [b, c, e]), xview=([b, c, d], [a, e])
    )


def split_list(train, val):
    """As in the set, with its spelling and its commas at the end of a line."""
    return f'Training videos: \n{train}, \nValidataion videos: \n{val}, \n'


@pytest.mark.parametrize(
    ('converter', 'names', 'split_names'),
    [
        (
            PKUMMD1Converter,
            ['0002-L', '0291-M', '0300-R'],
            ['cross-subject.txt', 'cross_view.txt'],
        ),
        (
            PKUMMD2Converter,
            ['A01N01-L', 'A01N02-M', 'A01N03-R'],
            ['cross_subject_v2.txt', 'cross-view-v2.txt'],
        ),
    ],
)
def test_split_lists_go_before_the_rules(tmp_path, converter, names, split_names):
    a, b, c = names
    (tmp_path / 'Split').mkdir()
    subject, view = (tmp_path / 'Split' / name for name in split_names)
    subject.write_text(split_list(b, a))  # which leaves out c
    view.write_text(split_list(f'{a}, {c}', b))
    splits = splits_of(converter(), tmp_path, names)
    assert splits == dict(xsub=([b], [a]), xview=([a, c], [b]))


@pytest.mark.parametrize(
    ('converter', 'names', 'other'),
    [
        (PKUMMD1Converter, ('0002-M', '0291-M'), 'cross_subject_v2.txt'),
        (PKUMMD2Converter, ('A01N01-L', 'A01N02-L'), 'cross-subject.txt'),
    ],
)
def test_split_list_of_the_other_phase_is_not_read(tmp_path, converter, names, other):
    train, test = names
    (tmp_path / other).write_text(split_list(test, train))
    assert splits_of(converter(), tmp_path, names)['xsub'] == ([train], [test])


@pytest.mark.parametrize(
    'text',
    ['', '0002-L, 0003-L', split_list('0002-L', ''), split_list('A01N01-L', 'x')],
)
def test_bad_split_list_ends_the_conversion(tmp_path, text):
    (tmp_path / 'cross-view.txt').write_text(text)
    with pytest.raises(BadFileError, match=r'cross-view\.txt is no split list'):
        splits_of(PKUMMD1Converter(), tmp_path, ['0002-L'])


def test_classes_and_formats():
    assert len(set(PKUMMD1Converter.classes)) == 51
    assert PKUMMD2Converter.classes is PKUMMD1Converter.classes
    assert PKUMMD1Converter.classes[50] == 'writing'
    assert CONVERTERS['pku_mmd1'] is PKUMMD1Converter
    assert CONVERTERS['pku_mmd2'] is PKUMMD2Converter
