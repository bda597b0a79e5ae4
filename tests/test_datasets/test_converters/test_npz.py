import re
import zipfile

import numpy as np
import pytest
from mmaction.datasets import PoseDataset

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.converters import (
    BadFileError,
    NPZConverter,
    NTU60Converter,
    NTU120Converter,
    PKUMMD2Converter,
    convert,
)

# What the files say: (frames of each person, label) of each sample.
TRAIN = [((4, 2), 1), ((3,), 0), ((), 1)]
TEST = [((0, 5), 0)]
PADDED = 6


def persons(lengths, seed):
    """(M, T, 25, 3) as in the annotation; an absent person is zeros."""
    rng = np.random.default_rng(seed)
    body = np.zeros((2, PADDED, 25, 3), np.float32)
    for person, length in enumerate(lengths):
        body[person, :length] = rng.normal(size=(length, 25, 3))
    return body


def arrays(samples, seed, classes=2):
    """x (N, T, 150) and one-hot y (N, K), as CTR-GCN writes them."""
    bodies = [persons(lengths, seed + i) for i, (lengths, _) in enumerate(samples)]
    x = np.stack([b.transpose(1, 0, 2, 3).reshape(PADDED, 150) for b in bodies])
    return x, np.eye(classes)[[label for _, label in samples]]


def content(**change):
    x_train, y_train = arrays(TRAIN, 0)
    x_test, y_test = arrays(TEST, 10)
    return dict(x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test) | change


def write(tmp_path, name='NTU60_CS', **change):
    np.savez(tmp_path / f'{name}.npz', **content(**change))
    return tmp_path / f'{name}.npz'


def samples_of(annotation):
    return {sample['frame_dir']: sample for sample in annotation['annotations']}


def assert_same(a, b):
    assert a['split'] == b['split']
    for one, other in zip(a['annotations'], b['annotations'], strict=True):
        assert one.keys() == other.keys()
        assert one['label'] == other['label']
        assert np.array_equal(one['keypoint'], other['keypoint'])


def test_padding_and_absent_persons_are_cut_off(tmp_path):
    annotation, skipped = convert(NPZConverter(), write(tmp_path))
    assert not skipped
    found = samples_of(annotation)
    assert {
        name: (s['keypoint'].shape[:2], s['label']) for name, s in found.items()
    } == {
        'train_000000': ((2, 4), 1),
        'train_000001': ((1, 3), 0),
        'train_000002': ((1, 1), 1),  # nobody in any frame
        'test_000000': ((1, 5), 0),  # only the second person
    }
    assert np.array_equal(found['train_000000']['keypoint'], persons((4, 2), 0)[:, :4])
    assert np.array_equal(found['test_000000']['keypoint'], persons((0, 5), 10)[1:, :5])
    assert not found['train_000002']['keypoint'].any()
    assert all(s['total_frames'] == s['keypoint'].shape[1] for s in found.values())
    assert all(s['keypoint'].dtype == np.float32 for s in found.values())


def test_a_folder_without_such_a_file(tmp_path):
    with pytest.raises(ValueError, match=r'holds no files \*\.npz\.'):
        convert(NPZConverter(), tmp_path)


def test_empty_frames_inside_stay(tmp_path):
    x = np.zeros((1, 4, 75), np.float32)
    x[0, 1, 0] = x[0, 3, 5] = 1
    path = write(tmp_path, x_test=x)
    sample = samples_of(convert(NPZConverter(), path)[0])['test_000000']
    assert sample['keypoint'].shape == (1, 4, 25, 3)
    assert sample['keypoint'][0, 3, 1, 2] == 1  # column 5 is z of joint 1
    assert sample['keypoint'].sum() == 2


def deep(x):
    """(N, T, M * V * C) -> (N, C, T, V, M)."""
    return np.ascontiguousarray(
        x.reshape(*x.shape[:2], 2, 25, 3).transpose(0, 4, 1, 3, 2)
    )


@pytest.mark.parametrize(
    'change',
    [
        lambda c: {k: deep(v) if k[0] == 'x' else v for k, v in c.items()},
        lambda c: {k: v if k[0] == 'x' else v.argmax(1) for k, v in c.items()},
        lambda c: {k: v if k[0] == 'x' else v > 0 for k, v in c.items()},
        lambda c: {k: v.astype('>f8') if k[0] == 'x' else v for k, v in c.items()},
    ],
    ids=['N C T V M', 'integer labels', 'bool labels', 'big-endian float64'],
)
def test_relatives_give_the_same(tmp_path, change):
    expected, _ = convert(NPZConverter(), write(tmp_path))
    (tmp_path / 'other').mkdir()
    found, _ = convert(NPZConverter(), write(tmp_path / 'other', **change(content())))
    assert_same(found, expected)


def test_compressed_and_a_folder_give_the_same(tmp_path):
    expected, _ = convert(NPZConverter(), write(tmp_path))
    (tmp_path / 'other').mkdir()
    np.savez_compressed(tmp_path / 'other' / 'NTU60_CS.npz', **content())
    assert_same(convert(NPZConverter(), tmp_path / 'other')[0], expected)


@pytest.mark.parametrize(
    ('name', 'prefix'),
    [
        ('NTU60_CS', 'xsub_'),
        ('NTU60_XView', 'xview_'),
        ('NTU60_CV_aligned', 'xview_'),
        ('NTU120_CSub', 'xsub_'),
        ('NTU120_CSet', 'xset_'),
        ('PKUv2_XSub', 'xsub_'),
        ('physics', ''),
    ],
)
def test_splits_are_named_after_the_file(tmp_path, name, prefix):
    annotation, _ = convert(NPZConverter(), write(tmp_path, name))
    assert annotation['split'] == {
        f'{prefix}train': [f'train_00000{i}' for i in range(3)],
        f'{prefix}val': ['test_000000'],
    }


def test_split_name_is_an_option(tmp_path):
    annotation, _ = convert(NPZConverter(split_name='fold1'), write(tmp_path))
    assert set(annotation['split']) == {'fold1_train', 'fold1_val'}


def test_class_names(tmp_path):
    def classes(name, converter, count=2):
        path = write(tmp_path, name, y_test=np.eye(count)[:1])
        return convert(converter, path)[0]['metainfo']['classes']

    assert classes('NTU60_CS', NPZConverter(), 60) == list(NTU60Converter.classes)
    assert classes('NTU120_CS', NPZConverter(), 120) == list(NTU120Converter.classes)
    for name in ('PKUv1_CS', 'PKUv2_XSub'):
        assert classes(name, NPZConverter(), 51) == list(PKUMMD2Converter.classes)
    assert classes('own', NPZConverter(), 3) == ['0', '1', '2']
    (tmp_path / 'names.txt').write_text('sit\n \nstand\n')
    names = str(tmp_path / 'names.txt')
    assert classes('NTU60_CS', NPZConverter(classes=names)) == ['sit', 'stand']
    with pytest.raises(BadFileError, match=r'own.npz has 3 classes, but 2 names'):
        classes('own', NPZConverter(classes=names), 3)


def test_other_layout(tmp_path):
    x = np.ones((3, 4, 2 * 17 * 3), np.float32)
    path = write(tmp_path, x_train=x, x_test=x[:1])
    annotation, _ = convert(NPZConverter(layout='h36m'), path)
    assert annotation['annotations'][0]['keypoint'].shape == (2, 4, 17, 3)
    assert annotation['metainfo']['layout'] == 'h36m'


def nan():
    x = arrays(TRAIN, 0)[0]
    x[1, 0, 7] = np.nan
    return x


BAD = {
    r'x_test has the shape \(1, 6, 149\), expected': dict(x_test=np.zeros((1, 6, 149))),
    r'x_test has the shape \(1, 6, 25, 3\), exp': dict(x_test=np.zeros((1, 6, 25, 3))),
    'reads both as': dict(x_test=np.zeros((1, 3, 6, 25, 3))),
    'x_test has 2 samples and y_test 1 labels': dict(x_test=np.zeros((2, 6, 150))),
    r'train_000001: \d+ joints are NaN or infinite': dict(x_train=nan()),
    'must be numbers in C order, not <U1': dict(x_test=np.full((1, 6, 150), 'a')),
    'Fortran order': dict(
        # With one sample alone, both orders are the same.
        x_test=np.asfortranarray(np.ones((2, 6, 150))),
        y_test=np.eye(2),
    ),
    'must be numbers in C order, not object': dict(
        x_test=np.empty((1, 6, 150), object)
    ),
}


@pytest.mark.parametrize(('reason', 'change'), BAD.items(), ids=range(len(BAD)))
def test_bad_samples(tmp_path, reason, change):
    with pytest.raises(ValueError, match=f'NTU60_CS.npz: .*{reason}'):
        convert(NPZConverter(), write(tmp_path, **change))


BAD_LABELS = {
    r'y_train\[2\] is no label: \[1. 1.\]': np.array([[1, 0], [0, 1], [1, 1.0]]),
    r'y_train\[0\] is no label: \[0. 0.\]': np.zeros((3, 2)),
    r'y_train\[1\] is no label: -1': np.array([0, -1, 1]),
    r'y_train\[1\] is no label: 0.5': np.array([0, 0.5, 1]),
    r'y_train has the shape \(3, 1\)': np.zeros((3, 1)),
    'Object arrays cannot be loaded': np.array([0, 1, None]),
}


@pytest.mark.parametrize(
    ('reason', 'labels'), BAD_LABELS.items(), ids=range(len(BAD_LABELS))
)
def test_bad_labels(tmp_path, reason, labels):
    with pytest.raises(BadFileError, match=f'^NTU60_CS.npz: .*{reason}'):
        convert(NPZConverter(), write(tmp_path, y_train=labels))


def test_labels_from_1(tmp_path):
    path = write(tmp_path, y_train=np.array([1, 2, 60]), y_test=np.array([1]))
    with pytest.raises(BadFileError, match=r'labels that begin at 1; save y - 1'):
        convert(NPZConverter(), path)
    names = tmp_path / 'names.txt'
    names.write_text('\ufeff' + '\n'.join(f'action {i}' for i in range(61)))
    annotation, _ = convert(NPZConverter(classes=str(names)), path)
    assert annotation['annotations'][-1]['label'] == 60
    assert annotation['metainfo']['classes'][0] == 'action 0'


def test_class_0_may_be_in_the_test_alone(tmp_path):
    path = write(tmp_path, 'own', y_train=np.array([1, 2, 1]), y_test=np.array([0]))
    annotation, _ = convert(NPZConverter(), path)
    assert samples_of(annotation)['train_000001']['label'] == 2


def test_missing_array_is_named(tmp_path):
    arrays = content()
    del arrays['y_test']
    np.savez(tmp_path / 'a.npz', **arrays)
    with pytest.raises(BadFileError, match=re.escape("a.npz: no ['y_test']")):
        convert(NPZConverter(), tmp_path / 'a.npz')


def test_truncated_file(tmp_path):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r'damaged, incomplete or no .npz file'):
        convert(NPZConverter(), path)


def test_damaged_sample(tmp_path):
    path = write(tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[1000] ^= 1  # inside x_train, whose checksum no longer fits
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match='Bad CRC-32'):
        convert(NPZConverter(), path)


def test_array_that_ends_early(tmp_path):
    path, cut = write(tmp_path), tmp_path / 'cut.npz'
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(cut, 'w') as target:
        for name in source.namelist():
            kept = source.read(name)
            target.writestr(name, kept[:-10] if name == 'x_test.npy' else kept)
    with pytest.raises(ValueError, match='x_test ends in its sample 0 of 1'):
        convert(NPZConverter(), cut)


def test_one_file_at_a_time(tmp_path):
    write(tmp_path, 'NTU60_CS')
    write(tmp_path, 'NTU60_CV')
    with pytest.raises(BadFileError, match=r'NTU60_CS.npz and NTU60_CV.npz: convert'):
        convert(NPZConverter(), tmp_path)


def test_datasets_load_the_result(tmp_path):
    out = tmp_path / 'ntu60.pkl'
    save_annotation(convert(NPZConverter(), write(tmp_path))[0], out)
    ours = SkeletonDataset(str(out), pipeline=[], split='xsub_train', num_joints=25)
    assert len(ours) == 2  # the empty clip is left out
    assert len(PoseDataset(str(out), pipeline=[], split='xsub_train')) == 3
