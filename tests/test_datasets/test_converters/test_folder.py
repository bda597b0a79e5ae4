import io
import json
import re
import tarfile
import unicodedata
import zipfile
from argparse import ArgumentParser

import numpy as np
import pytest
from mmaction.datasets import PoseDataset

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import load_annotation, save_annotation
from fdmae_mm.datasets.converters import (
    BadFileError,
    FolderConverter,
    convert,
    folder,
)
from fdmae_mm.datasets.layouts import get_layout, read_layout

# Three joints on a stick, as somebody with few sensors has them.
LAYOUT = dict(
    joints=['pelvis', 'left_knee', 'right_knee'],
    edges=[['left_knee', 'pelvis'], ['right_knee', 'pelvis']],
)


@pytest.fixture
def layout(tmp_path):
    (tmp_path / 'stick.json').write_text(json.dumps(LAYOUT))
    return str(tmp_path / 'stick.json')


def array(seed, frames=4, persons=None, dims=3):
    shape = (frames, 3, dims) if persons is None else (persons, frames, 3, dims)
    return np.random.default_rng(seed).normal(size=shape)


def write(tmp_path, files):
    """A folder of arrays (.npy) and texts."""
    for name, content in files.items():
        path = tmp_path / 'src' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            np.save(path, content)
    return tmp_path / 'src'


def table(*rows):
    return '\n'.join(rows) + '\n'


def labels(annotation):
    return {a['frame_dir']: a['label'] for a in annotation['annotations']}


def test_arrays_of_one_and_of_more_persons(tmp_path, layout):
    source = write(
        tmp_path,
        {'sit/a.npy': array(0, 5), 'run/b.npy': array(1, 4, persons=2)},
    )
    annotation, skipped = convert(FolderConverter(layout), source)
    assert not skipped
    two, one = annotation['annotations']
    assert (one['frame_dir'], two['frame_dir']) == ('sit/a', 'run/b')
    assert np.array_equal(one['keypoint'], array(0, 5)[None].astype(np.float32))
    assert np.array_equal(two['keypoint'], array(1, 4, 2).astype(np.float32))
    assert one['keypoint'].dtype == np.float32
    assert (one['total_frames'], two['total_frames']) == (5, 4)
    assert annotation['metainfo']['classes'] == ['run', 'sit']
    assert (one['label'], two['label']) == (1, 0)


def csv_of(values, header=''):
    return header + '\n'.join(','.join(map(str, row)) for row in values) + '\n'


def test_csv_without_names(tmp_path, layout):
    values = np.arange(18).reshape(2, 9) / 4
    source = write(tmp_path, {'sit/a.CSV': '\ufeff' + csv_of(values)})
    annotation, _ = convert(FolderConverter(layout), source)
    (sample,) = annotation['annotations']
    assert np.array_equal(sample['keypoint'], values.reshape(1, 2, 3, 3))


def test_csv_of_pandas_whose_columns_are_numbered(tmp_path, layout):
    values = np.arange(18.0).reshape(2, 9) + 0.5
    numbered = csv_of(values, ','.join(map(str, range(9))) + '\n')
    plain = convert(
        FolderConverter(layout), write(tmp_path, {'sit/a.csv': csv_of(values)})
    )
    found = convert(
        FolderConverter(layout), write(tmp_path / 'pandas', {'sit/a.csv': numbered})
    )
    assert np.array_equal(
        found[0]['annotations'][0]['keypoint'], plain[0]['annotations'][0]['keypoint']
    )


def test_csv_with_names_in_any_order(tmp_path, layout):
    header = (
        'time,Left_Knee_y,left_knee_x, pelvis_x,pelvis_y,right_knee_x,right_knee_y\n'
    )
    text = csv_of([['12:00', 1, 2, 3, 4, 5, 6], ['12:01', 7, 8, 9, 10, 11, 12]], header)
    annotation, _ = convert(
        FolderConverter(layout), write(tmp_path, {'sit/a.csv': text})
    )
    (sample,) = annotation['annotations']
    assert sample['keypoint'].tolist() == [
        [[[3, 4], [2, 1], [5, 6]], [[9, 10], [8, 7], [11, 12]]]
    ]


def test_empty_cells_are_nan(tmp_path, layout):
    row = [1.0, 2, 3, 4, 5, 6, 7, 8, 9]
    header = ',pelvis_x,pelvis_y,left_knee_x,left_knee_y,right_knee_x,right_knee_y\n'
    texts = {
        'first': ',2,3' + ',1' * 6 + '\n' + csv_of([row]),
        'all': ',' * 8 + '\n' + csv_of([row]),
        'later': csv_of([row]) + '1, ' + ',1' * 7 + '\n',
        # As pandas writes it, with an index.
        'named': csv_of([[0, '', 2, 3, 4, 5, 6]], header),
    }
    found = {}
    for name, text in texts.items():
        source = write(tmp_path / name, {'sit/a.csv': text})
        with pytest.raises(ValueError, match=r'joints are NaN .*--non-finite zero'):
            convert(FolderConverter(layout), source)
        annotation, _ = convert(FolderConverter(layout), source, non_finite='zero')
        (sample,) = annotation['annotations']
        found[name] = sample['keypoint'][0].any(-1).tolist()
    assert found == {
        'first': [[False, True, True], [True] * 3],
        'all': [[False] * 3, [True] * 3],
        'later': [[True] * 3, [False, True, True]],
        'named': [[False, True, True]],
    }


def test_names_and_edges_make_a_layout(tmp_path, layout):
    source = write(tmp_path, {'sit/a.npy': array(0), 'sit/b.npy': array(1)})
    annotation, _ = convert(FolderConverter(layout), source)
    out = tmp_path / 'own.pkl'
    save_annotation(annotation, out)
    found = get_layout(load_annotation(out)['metainfo']['layout'])
    assert found.name == 'stick'
    assert found.edges == ((1, 0), (2, 0))
    assert found.left_right == ((1, 2),)
    assert found.center == 0
    assert found.parts['left_leg'] == (1,)


def test_known_layout_is_named(tmp_path):
    source = write(tmp_path, {'sit/a.npy': np.ones((2, 15, 3))})
    annotation, _ = convert(FolderConverter('sbu'), source)
    assert annotation['metainfo']['layout'] == 'sbu'


def test_a_layout_of_ones_own_may_have_a_known_name(tmp_path):
    (tmp_path / 'sbu.json').write_text(json.dumps(LAYOUT))
    converter = FolderConverter(str(tmp_path / 'sbu.json'))
    annotation, _ = convert(converter, write(tmp_path, {'sit/a.npy': array(0)}))
    assert get_layout(annotation['metainfo']['layout']).num_joints == 3


def test_layout_file_with_the_mark_of_a_windows_editor(tmp_path):
    path = tmp_path / 'stick.json'
    path.write_text(json.dumps(LAYOUT), encoding='utf-8-sig')
    assert read_layout(str(path)).joints == tuple(LAYOUT['joints'])


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('{"joints": ["a"', 'describes no layout: Expecting'),
        ('[1]', 'expected a dict, found a list'),
        ('{"joints": ["a", "b"]}', "but got .'joints', 'name'"),
        ('{"joints": ["a", "b"], "edges": [["a", "c"]]}', r"edge \('a', 'c'\) must"),
        ('{"joints": 3, "edges": []}', 'describes no layout'),
    ],
)
def test_bad_layout_files(tmp_path, content, reason):
    (tmp_path / 'own.json').write_text(content)
    with pytest.raises(ValueError, match=reason):
        FolderConverter(str(tmp_path / 'own.json'))


FILES = {f'data/{name}.npy': array(i) for i, name in enumerate('abcdef')}


def test_table_labels_subjects_and_splits(tmp_path, layout):
    rows = table(
        'label,file,split,subject',
        'sit,data/a.npy,train,ann',
        'run,data/b,test,ann',  # without its ending
        ' sit ,./data/c.csv,val,bob',  # under another ending
        'run,data\\d.npy,train,bob',
        'run,data/e.mp4,train,eve',
        'walk,data/f.npy,val,eve',
    )
    annotation, skipped = convert(
        FolderConverter(layout), write(tmp_path, {**FILES, 'labels.csv': rows})
    )
    assert not skipped
    assert annotation['metainfo']['classes'] == ['run', 'sit', 'walk']
    assert list(labels(annotation).values()) == [1, 0, 1, 0, 0, 2]
    assert annotation['split'] == dict(
        train=['data/a', 'data/d', 'data/e'], test=['data/b'], val=['data/c', 'data/f']
    )
    subjects = [a['subject'] for a in annotation['annotations']]
    assert subjects == ['ann', 'ann', 'bob', 'bob', 'eve', 'eve']


def test_table_of_a_cross_validation(tmp_path, layout):
    folds = dict(zip('abcdef', (1, 2, 10, 1, 2, 10), strict=True))
    lines = [f'data/{name},run,s{fold},{fold}' for name, fold in folds.items()]
    source = write(tmp_path, {**FILES})
    (source / 'labels.csv').write_text(table('file,label,subject,fold', *lines))
    annotation, _ = convert(FolderConverter(layout), source)
    assert annotation['split'] == {
        'fold1_train': ['data/b', 'data/c', 'data/e', 'data/f'],
        'fold1_val': ['data/a', 'data/d'],
        'fold2_train': ['data/a', 'data/c', 'data/d', 'data/f'],
        'fold2_val': ['data/b', 'data/e'],
        'fold10_train': ['data/a', 'data/b', 'data/d', 'data/e'],
        'fold10_val': ['data/c', 'data/f'],
    }
    # Beside them those of a column split.
    lines = [line + ',train' for line in lines]
    rows = table('file,label,subject,fold,split', *lines)
    (source / 'labels.csv').write_text(rows)
    both, _ = convert(FolderConverter(layout), source)
    assert both['split'] == {**annotation['split'], 'train': list(labels(annotation))}

    for cells, message in (
        (['1'] * 6, 'has fold 1 alone'),
        (['1', '2', 'x', '1', '2', '2'], "line 4 has the fold 'x'"),
    ):
        lines = [f'data/{n},run,{c}' for n, c in zip('abcdef', cells, strict=True)]
        (source / 'labels.csv').write_text(table('file,label,fold', *lines))
        with pytest.raises(ValueError, match=message):
            convert(FolderConverter(layout), source)


def test_dots_belong_to_a_name(tmp_path, layout):
    rows = table('file,label', 'a.1,0', 'a.2.mp4,1')
    files = {'a.1.npy': array(0), 'a.2.npy': array(1), 'labels.csv': rows}
    annotation, _ = convert(FolderConverter(layout), write(tmp_path, files))
    assert labels(annotation) == {'a.1': 0, 'a.2': 1}


def test_paths_are_relative_to_the_table(tmp_path, layout):
    rows = table('file,label', *(f'{name}.npy,{name in "ab"}' for name in 'abcdef'))
    source = write(tmp_path, {**FILES, 'data/labels.csv': rows})
    expected, skipped = convert(FolderConverter(layout), source)
    assert not skipped
    with tarfile.open(tmp_path / 'src.tar.gz', 'w:gz') as archive:
        archive.add(source, arcname='.')
    found, skipped = convert(FolderConverter(layout), tmp_path / 'src.tar.gz')
    assert not skipped
    assert labels(found) == labels(expected)
    assert found['split'] == expected['split']


def test_integer_labels_keep_their_order(tmp_path, layout):
    numbers = (10, 2, 0, 10, 2, 1)
    rows = table(
        'file,label', *(f'data/{n},{i}' for n, i in zip('abcdef', numbers, strict=True))
    )
    annotation, _ = convert(
        FolderConverter(layout), write(tmp_path, {**FILES, 'labels.csv': rows})
    )
    assert annotation['metainfo']['classes'] == ['0', '1', '2', '10']
    assert list(labels(annotation).values()) == [3, 2, 0, 3, 2, 1]
    # As pandas writes a column that had an empty cell.
    rows = re.sub(r'(\d+)$', r'\1.0', rows, flags=re.MULTILINE)
    annotation, _ = convert(
        FolderConverter(layout), write(tmp_path, {'labels.csv': rows})
    )
    assert annotation['metainfo']['classes'] == ['0.0', '1.0', '2.0', '10.0']
    assert list(labels(annotation).values()) == [3, 2, 0, 3, 2, 1]


def test_names_from_a_mac_are_those_of_the_table(tmp_path, layout):
    decomposed, composed = (
        unicodedata.normalize(form, 'Übung') for form in ('NFD', 'NFC')
    )
    source = write(tmp_path, {f'{decomposed}/{decomposed}.npy': array(0)})
    annotation, _ = convert(FolderConverter(layout), source)
    assert annotation['metainfo']['classes'] == [composed]
    rows = table('file,label', f'{composed}/{composed}.npy,{decomposed}')
    write(tmp_path, {'labels.csv': rows})
    annotation, skipped = convert(FolderConverter(layout), source)
    assert not skipped and annotation['metainfo']['classes'] == [composed]


def test_a_number_is_spelled_in_one_way(tmp_path, layout):
    source = write(tmp_path, {'01/a.npy': array(0), '1/b.npy': array(1)})
    with pytest.raises(ValueError, match="'01' and '1' are one number: write both"):
        convert(FolderConverter(layout), source)


def test_subjects_are_held_out(tmp_path, layout):
    files = {f'{i}.npy': array(i) for i in range(12)}
    rows = table('file,label,subject', *(f'{i}.npy,sit,s{i % 11}' for i in range(12)))
    annotation, _ = convert(
        FolderConverter(layout), write(tmp_path, {**files, 'labels.csv': rows})
    )
    by_split = {
        name: {
            a['subject'] for a in annotation['annotations'] if a['frame_dir'] in part
        }
        for name, part in annotation['split'].items()
    }
    # In the order s0 ... s9, s10.
    assert by_split['val'] == {'s1', 's4', 's7', 's10'}
    assert by_split['train'] == {'s0', 's2', 's3', 's5', 's6', 's8', 's9'}


def test_drawn_split(tmp_path, layout):
    sizes = dict(many=10, two=2, single=1)
    files = {
        f'{name}/{i}.npy': array(i) for name, size in sizes.items() for i in range(size)
    }
    source = write(tmp_path, files)
    splits = [
        convert(FolderConverter(layout, seed=seed), source)[0]['split']
        for seed in (0, 0, 1, 2)
    ]
    for split in splits:
        train, val = set(split['train']), set(split['val'])
        assert not train & val
        assert len(train | val) == 13
        assert sum(name.startswith('many') for name in val) == 2
        assert sum(name.startswith('two') for name in val) == 1
        assert 'single/0' in train
    assert splits[0] == splits[1]
    assert any(split != splits[0] for split in splits[2:])


class Label(int):
    """One that counts how often labels are compared."""

    compared = 0
    __hash__ = int.__hash__

    def __eq__(self, other):
        Label.compared += 1
        return int(self) == int(other)


def test_a_draw_does_not_search_all_clips_for_each_class(layout):
    clips = [dict(frame_dir=f'{i:03d}', label=Label(i % 50)) for i in range(200)]
    held_out = FolderConverter(layout)._draw(clips)
    assert Label.compared <= 400
    # One of four: those that the generator gives for a class after the other.
    rng = np.random.default_rng(0)
    drawn = [
        rng.permutation([f'{i:03d}' for i in range(k, 200, 50)]) for k in range(50)
    ]
    assert held_out == {names[0] for names in drawn}


def test_classes_are_put_into_order_once(tmp_path, layout, monkeypatch):
    sorts = []

    def counted(items, **how):
        sorts.append(items)
        return sorted(items, **how)

    monkeypatch.setattr(folder, 'sorted', counted, raising=False)
    files = {f'{k}/{i}.npy': array(0) for k in ('10', '9') for i in range(8)}
    annotation, _ = convert(FolderConverter(layout), write(tmp_path, files))
    assert annotation['metainfo']['classes'] == ['9', '10']
    assert len(sorts) < len(files)


def test_listed_file_that_is_absent(tmp_path, layout):
    rows = table('file,label', 'data/a.npy,0', 'data/x.npy,0', 'data/y.npy,1')
    source = write(tmp_path, {'data/a.npy': array(0), 'labels.csv': rows})
    with pytest.raises(ValueError, match=r'labels.csv lists 2 files .* is data/x\.'):
        convert(FolderConverter(layout), source)


def test_listed_file_that_is_bad_is_left_out(tmp_path, layout):
    rows = table('file,label', 'a.npy,0', 'b.npy,0')
    files = {'a.npy': array(0), 'b.npy': 'no array', 'labels.csv': rows}
    annotation, skipped = convert(FolderConverter(layout), write(tmp_path, files))
    assert labels(annotation) == {'a': 0}
    assert [name for name, _ in skipped] == ['b.npy']


def test_file_that_is_not_listed(tmp_path, layout):
    rows = table('file,label', 'data/a.npy,0')
    source = write(
        tmp_path, {'data/a.npy': array(0), 'b.npy': array(1), 'labels.csv': rows}
    )
    annotation, skipped = convert(FolderConverter(layout), source)
    assert labels(annotation) == {'data/a': 0}
    assert skipped == [('b.npy', 'not listed in labels.csv')]


BAD_TABLES = {
    r"columns file,label .* not \['file', 'lable'\]": ('file,lable', 'a,0'),
    r"not \['file', 'label', 'spilt'\]": ('file,label,spilt', 'a,0,train'),
    r'not \[\]': (),
    'line 3 must have 2 cells': ('file,label', 'a,0', 'b, '),
    'line 2 must have 2 cells': ('file,label', 'a,0,train'),
    'line 2 must have 3 cells': ('file,label,split', 'a,0'),
    'line 3 lists a a second time': ('file,label', 'a.npy,0', 'a,1'),
    "line 3 has the label 'raise', which differs from 'Raise' in case alone": (
        'file,label',
        'a,Raise',
        'b,raise',
    ),
    "line 3 has the split 'Train', which differs from 'train' in case alone": (
        'file,label,split',
        'a,0,train',
        'b,0,Train',
    ),
    "line 3 has the subject 'ann', which differs from 'Ann' in case alone": (
        'file,label,subject',
        'a,0,Ann',
        'b,0,ann',
    ),
}


@pytest.mark.parametrize(('reason', 'rows'), BAD_TABLES.items(), ids=range(10))
def test_bad_table(tmp_path, layout, reason, rows):
    source = write(tmp_path, {'a.npy': array(0), 'labels.csv': '\n'.join(rows)})
    with pytest.raises(BadFileError, match=f'^labels.csv: .*{reason}'):
        convert(FolderConverter(layout), source)


def test_table_in_another_encoding(tmp_path, layout):
    source = write(tmp_path, {'a.npy': array(0)})
    (source / 'labels.csv').write_bytes('file,label\na,größe'.encode('latin-1'))
    with pytest.raises(
        BadFileError, match=r"^labels.csv: 'utf-8' .* save it as CSV UTF-8"
    ):
        convert(FolderConverter(layout), source)


def test_an_encrypted_table_says_so(tmp_path, layout):
    path = tmp_path / 'src.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('labels.csv', table('file,label', 'a.npy,0'))
    content = bytearray(path.read_bytes())
    for signature, flags in (b'PK\x03\x04', 6), (b'PK\x01\x02', 8):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(BadFileError, match=r'src\.zip, labels\.csv: .* is encrypted'):
        convert(FolderConverter(layout), path)


def test_two_tables(tmp_path, layout):
    rows = table('file,label', 'a,0')
    files = {'a.npy': array(0), 'labels.csv': rows, 'x/labels.csv': rows}
    with pytest.raises(BadFileError, match=r'labels.csv and x/labels.csv'):
        convert(FolderConverter(layout), write(tmp_path, files))


# A header that asks for more memory than any machine has.
VAST = io.BytesIO()
np.lib.format.write_array_header_1_0(
    VAST, dict(descr='<f4', fortran_order=False, shape=(1, 10**13, 17, 3))
)
VAST = VAST.getvalue()
NO_HEADER = b'\x93NUMPY\x01\x00\x10\x00' + b'(' * 15 + b'\n'
NAMES = 'pelvis_x,pelvis_y,left_knee_x,left_knee_y,right_knee_x,right_knee_y,time'
BAD = {
    'no label: add a labels.csv, or .* each class; .* one folder of any name': {
        'bad.npy': array(0)
    },
    r'shape \(3, 4, 3, 2\) reads both as .*two in 3-D, .*np.moveaxis\(array, ': {
        'sit/bad.npy': array(0, 4, persons=3, dims=2)
    },
    'no array without pickle: .*np.save': {
        'sit/bad.npy': np.array([dict(joints=[1])], dtype=object)
    },
    r'shape \(7, 2, 3, 3\) has 7 persons in 2 frames.*np.swapaxes\(array, 0, 1\)': {
        'sit/bad.npy': np.ones((7, 2, 3, 3))
    },
    '4 joints, but the layout .stick. has 3; layouts of 4 joints: none': {
        'sit/bad.npy': np.ones((2, 4, 3))
    },
    r'shape \(2, 9\) and the type float64': {'sit/bad.npy': np.ones((2, 9))},
    r'shape \(0, 2, 3, 3\)': {'sit/bad.npy': np.ones((0, 2, 3, 3))},
    r'type complex128': {'sit/bad.npy': np.ones((2, 3, 3), complex)},
    '1 coordinates a joint': {'sit/bad.npy': np.ones((2, 3, 1))},
    'no frames': {'sit/bad.npy': np.ones((0, 3, 3))},
    '3 joints are NaN': {'sit/bad.npy': np.full((1, 1, 3, 3), [1, 1, np.nan])},
    'no array without pickle: Object': {'sit/bad.npy': np.array([None])},
    'no array without pickle: the magic': {'sit/bad.npy': 'something else'},
    'no array without pickle: ': {'sit/bad.npy': NO_HEADER},
    'no array without pickle: Unable to allocate': {'sit/bad.npy': VAST},
    'no frames ?$': {'sit/bad.csv': '\n'},
    'row 2 has 2 cells and the first has 9; numbers are written with': {
        'sit/bad.csv': '1' + ',1' * 8 + '\n1,2'
    },
    'the third number of each joint is between 0 and 1 .* array': {
        'sit/bad.npy': np.full((2, 3, 3), [300, 200, 0.9])
    },
    '1 columns, but the layout .stick. needs 9 or 6': {'sit/bad.csv': '1\n2'},
    '12 columns.*in the first line; with a state or score of each joint, leave it': {
        'sit/bad.csv': '1' + ',1' * 11
    },
    "row 2, column 3: 'x' is no number": {
        'sit/bad.csv': '1' + ',1' * 8 + '\n,1,x' + ',1' * 6
    },
    "row 2, column 4: 'x' is no number": {
        'sit/bad.csv': ','.join(map(str, range(9))) + '\n1,1,1,x' + ',1' * 5
    },
    "row 1, column 2: '1.2.3' is no number": {'sit/bad.csv': '1,1.2.3' + ',1' * 7},
    "row 3, column left_knee_x: '#' is no number": {
        'sit/bad.csv': f'{NAMES}\n,2,3,4,5,6,noon\n1,2,#,4,5,6,noon'
    },
    'first line names pelvis_y more than once': {
        'sit/bad.csv': f'{NAMES},Pelvis_y\n1,2,3,4,5,6,7,8'
    },
    'separated by \';\'; write them with ","': {
        'sit/bad.csv': NAMES.replace(',', ';') + '\n1,5' + ';2' * 6
    },
    "by ';'": {'sit/bad.csv': '1,5' + ';2,5' * 8},
    r"separated by '\\t'; write": {'sit/bad.csv': NAMES.replace(',', '\t')},
    'not name 5 columns .* first is pelvis_y; it names pelvis_x, .*called JOINT_x': {
        'sit/bad.csv': 'pelvis_x\n1'
    },
    'not name 2 columns .* first is left_knee_z': {
        'sit/bad.csv': f'{NAMES},pelvis_z\n1,2,3,4,5,6,7,8'
    },
    '1 joints are NaN or': {'sit/bad.csv': 'nan' + ',1' * 8},
}


@pytest.mark.parametrize(('reason', 'file'), BAD.items(), ids=range(len(BAD)))
def test_bad_file_is_left_out_with_the_reason(tmp_path, layout, reason, file):
    source = write(tmp_path, {'sit/good.npy': array(0), **file})
    annotation, skipped = convert(FolderConverter(layout), source)
    assert labels(annotation) == {'sit/good': 0}
    ((name, found),) = skipped
    assert name in file
    assert re.search(reason, found)


def test_files_of_another_ending_in_folders_of_classes_are_told(tmp_path, layout):
    files = {f'sit/{i}.npy': array(i) for i in range(3)}
    # Beside a sample, and what stands in no folder of a class.
    files |= {'sit/0.mp4': b'', 'README.md': 'of clips'}
    files |= {f'run/{i}.npz': b'' for i in range(2)}
    source = write(tmp_path, files)
    annotation, skipped = convert(FolderConverter(layout), source)
    assert annotation['metainfo']['classes'] == ['sit']
    assert skipped == [('run/0.npz', 'one of 2 that are no files *.npy or *.csv')]
    # A table says which files there are.
    (source / 'labels.csv').write_text(
        table('File, Label', *(f'sit/{i}.npy, sit' for i in range(3)))
    )
    annotation, skipped = convert(FolderConverter(layout), source)
    assert len(annotation['annotations']) == 3 and not skipped


def test_few_persons_or_many_frames_are_in_order(tmp_path, layout):
    files = {'sit/a.npy': array(0, 2, persons=6), 'sit/b.npy': array(1, 7, persons=7)}
    _, skipped = convert(FolderConverter(layout), write(tmp_path, files))
    assert not skipped


def test_clips_without_labels_are_one_folder(tmp_path, layout):
    files = {f'any/{i}.npy': array(i) for i in range(5)}
    annotation, skipped = convert(FolderConverter(layout), write(tmp_path, files))
    assert not skipped
    out = str(tmp_path / 'own.pkl')
    save_annotation(annotation, out)
    found = SkeletonDataset(out, pipeline=[], split='train', num_joints=3)
    assert len(found) == 4
    assert found.metainfo['classes'] == ['any']


def test_two_and_three_coordinates_do_not_mix(tmp_path, layout):
    files = {'sit/a.npy': array(0), 'sit/b.npy': array(1, dims=2)}
    with pytest.raises(ValueError, match=r'sit/b has 2 coordinates .* sit/a has 3'):
        convert(FolderConverter(layout), write(tmp_path, files))


def test_same_name_twice(tmp_path, layout):
    files = {'sit/a.npy': array(0), 'sit/a.csv': csv_of(np.ones((2, 9)))}
    _, skipped = convert(FolderConverter(layout), write(tmp_path, files))
    assert skipped == [('sit/a.npy', 'a second sample of this name')]


def test_options_and_datasets(tmp_path, layout):
    parser = ArgumentParser()
    FolderConverter.add_arguments(parser)
    options = vars(parser.parse_args(['--layout', layout, '--seed', '3']))
    files = {f'{c}/{i}.npy': array(i) for c in ('sit', 'run') for i in range(5)}
    annotation, _ = convert(FolderConverter(**options), write(tmp_path, files))
    out = str(tmp_path / 'own.pkl')
    save_annotation(annotation, out)
    for split, length in (('train', 8), ('val', 2)):
        ours = SkeletonDataset(out, pipeline=[], split=split, num_joints=3)
        assert len(ours) == len(PoseDataset(out, pipeline=[], split=split)) == length
    assert ours.metainfo['classes'] == ['run', 'sit']
