import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmaction.datasets import PoseDataset

from fdmae_mm.datasets import SkeletonDataset
from fdmae_mm.datasets.annotation import load_annotation, save_annotation


class Boom:
    """Would create a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def annotation():
    sample = dict(
        frame_dir='a',
        label=np.int64(1),
        keypoint=np.arange(6, dtype=np.float16).reshape(1, 1, 2, 3),
        total_frames=1,
    )
    return dict(split=dict(train=['a']), annotations=[sample])


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_is_read(annotation, protocol, tmp_path):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(annotation, protocol=protocol))
    sample = load_annotation(path)['annotations'][0]
    expected = annotation['annotations'][0]
    assert sample['keypoint'].dtype == np.float16
    assert np.array_equal(sample['keypoint'], expected['keypoint'])
    assert sample['label'] == 1


def test_pickles_of_numpy_1_and_2_are_read(annotation, tmp_path):
    stored = pickle.dumps(annotation, protocol=0)
    for core in (b'cnumpy.core.multiarray', b'cnumpy._core.multiarray'):
        other = stored.replace(b'cnumpy._core.multiarray', core)
        other = other.replace(b'cnumpy.core.multiarray', core)
        assert core in other
        (tmp_path / 'a.pkl').write_bytes(other)
        keypoint = load_annotation(tmp_path / 'a.pkl')['annotations'][0]['keypoint']
        assert keypoint.shape == (1, 1, 2, 3)


def test_code_in_a_pickle_is_not_run(annotation, tmp_path):
    annotation['metainfo'] = Boom(str(tmp_path / 'made'))
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(annotation))
    with pytest.raises(ValueError, match=r'a\.pkl .*mkdir.*could run code'):
        load_annotation(tmp_path / 'a.pkl')
    assert not (tmp_path / 'made').exists()


def test_objects_inside_an_array_are_checked_too(annotation, tmp_path):
    annotation['annotations'][0]['keypoint'] = np.array([Boom(str(tmp_path / 'made'))])
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(annotation))
    with pytest.raises(ValueError, match='could run code'):
        load_annotation(tmp_path / 'a.pkl')
    assert not (tmp_path / 'made').exists()


class Call:
    """What a pickle calls, with which arguments, and the state it sets then."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


POINTERS = bytearray(b'A' * 8)


def array_of(parts=None, names=None, fields=None, flags=0):
    """An array of the plain type f8, whose state then says something else."""
    state = (4, '<', parts, names, fields, -1, -1, flags)
    kind = Call(np.dtype, ('f8', False, True), state)
    reconstruct = np.zeros(0).__reduce__()[0]
    content = (1, (1,), kind, False, bytes(POINTERS))
    return Call(reconstruct, (np.ndarray, (0,), b'b'), content)


# numpy reports that it cannot free what these floats claim to refer to.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize(
    'attack',
    [
        Call(np.ndarray, ((1,), 'O', POINTERS)),
        Call(np.ndarray, ((1,), 'V8', POINTERS)),
        Call(np.dtype, ('O8', False, True)),
        Call(np.dtype, ('i4,O', False, True)),
        Call(np.dtype, ([('a', 'O')],)),
        Call(np.zeros(0).__reduce__()[0], (dict, (0,), b'b')),
        array_of(flags=0x01),  # counts references
        array_of(flags=0x3F),
        array_of(parts=(np.dtype('f8'), (1000,))),
        array_of(names=('a',), fields=dict(a=(np.dtype('f8'), 4096))),
        [(dict(deep=array_of(flags=0x01)),)],
    ],
)
def test_bytes_of_a_file_do_not_become_pointers(annotation, attack, tmp_path):
    annotation['metainfo'] = dict(attack=attack)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(annotation))
    with pytest.raises(ValueError, match=r'a\.pkl could not be read as an annotation'):
        load_annotation(tmp_path / 'a.pkl')


SIZE = 1 << 16
TYPE = b"cnumpy\ndtype\n(S'%s'\nI00\nI01\ntR"
NO_PARTS = b"(I3\nS'|'\nNNNI%d\nI1\nI%d\ntb"
# One field far behind the array.
PARTS = (
    b"(I3\nS'<'\nN(S'a'\nt(dS'a'\n(" + TYPE % b'f8' + b'I%d\ntsI-1\nI-1\nI0\ntb' % SIZE
)


@pytest.mark.parametrize(
    ('name', 'size', 'state', 'key', 'value'),
    [
        (b'S1', 1, NO_PARTS % (SIZE, 0), b'I0\n', b"S'%s'\n" % (b'A' * SIZE)),
        (b'U1', 4, NO_PARTS % (SIZE, 8), b'I0\n', b'V%s\n' % (b'A' * (SIZE // 4))),
        (b'f8', 8, PARTS, b"S'a'\n", b'F1.5\n'),
    ],
    ids=['bytes', 'text', 'parts'],
)
def test_a_type_does_not_change_under_its_array(
    annotation, name, size, state, key, value, tmp_path
):
    """It would be written beyond its bytes: in a process of its own, which may end."""
    kind = TYPE % name + NO_PARTS % (size, 8 if name == b'U1' else 0) + b'p7\n'
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b'(I1\n(I1\nt' + kind + b"I00\nS'%s'\ntb" % (b'a' * size)
    )
    write = b'g7\n' + state + b'ag8\n' + key + value + b'sa'
    (tmp_path / 'a.pkl').write_bytes(b'(l' + array + b'p8\na' + write + b'.')
    code = f"""
import gc
from fdmae_mm.datasets import annotation
try:
    file = open({str(tmp_path / 'a.pkl')!r}, 'rb')
    found = annotation._AnnotationUnpickler(file).load()
    assert found[0].nbytes == {size} and found[0].dtype.fields is None
except (annotation._RefusedError, TypeError, ValueError):
    pass
gc.collect()
print('whole')
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, 'whole\n'), done.stderr


def test_an_array_is_not_on_the_bytes_of_another(annotation, tmp_path):
    """Which the other would free when it gets other ones."""
    frombuffer = np.zeros(0).__reduce_ex__(5)[0]
    on_array = Call(frombuffer, (np.zeros(3, 'u1'), np.dtype('u1'), (3,), 'C'))
    annotation['metainfo'] = dict(array=on_array)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(annotation))
    with pytest.raises(ValueError, match='it has an array on a _Array'):
        load_annotation(tmp_path / 'a.pkl')


def test_a_list_that_holds_itself_is_read(annotation, tmp_path):
    loop = []
    loop.append(loop)
    annotation['metainfo'] = dict(loop=loop)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(annotation))
    found = load_annotation(tmp_path / 'a.pkl')['metainfo']['loop']
    assert found[0] is found


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    'array',
    [
        np.float32(1.5),
        np.str_('ab'),
        np.str_(''),
        np.int64(3),
        np.array([b'a', b'bc']),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype='>i4'),
        np.array(['a', 'bc']),
        np.array([True]),
        np.zeros((0, 3)),
    ],
)
def test_arrays_of_every_kind_are_read(annotation, array, protocol, tmp_path):
    annotation['metainfo'] = dict(array=array)
    stored = pickle.dumps(annotation, protocol)
    (tmp_path / 'a.pkl').write_bytes(stored)
    found = load_annotation(tmp_path / 'a.pkl')['metainfo']['array']
    expected = pickle.loads(stored)['metainfo']['array']  # may be of native byte order
    assert found.dtype == expected.dtype
    assert found.flags.f_contiguous == expected.flags.f_contiguous
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ('name', 'way_out'),
    [
        ('synthetic.pkl', r'convert\.py synthetic .*synthetic\.pkl'),
        ('nw_ucla.pkl', r'convert\.py nw_ucla SOURCE .*nw_ucla\.pkl'),
        ('ntu60_3d.pkl', r'openmmlab\.com/.*ntu60_3d\.pkl .*convert\.py ntu60 SOURCE'),
        ('mine.pkl', r'convert\.py --help'),
    ],
)
def test_missing_file_says_where_it_comes_from(name, way_out, tmp_path):
    with pytest.raises(FileNotFoundError, match=way_out):
        load_annotation(tmp_path / name)


@pytest.mark.parametrize('share', [0, 0.5, 0.99])
def test_incomplete_file(annotation, share, tmp_path):
    stored = pickle.dumps(annotation)
    (tmp_path / 'a.pkl').write_bytes(stored[: int(share * len(stored))])
    with pytest.raises(ValueError, match=r'a\.pkl .*damaged or incomplete'):
        load_annotation(tmp_path / 'a.pkl')


def test_file_of_another_kind(tmp_path):
    (tmp_path / 'a.pkl').write_text('<html>Not found</html>')
    with pytest.raises(ValueError, match=r'a\.pkl .*damaged'):
        load_annotation(tmp_path / 'a.pkl')


def test_a_list_of_annotations_or_one_alone_has_no_splits(annotation, tmp_path):
    (sample,) = annotation['annotations']
    for content in ([sample, sample], sample):
        (tmp_path / 'a.pkl').write_bytes(pickle.dumps(content))
        found = load_annotation(tmp_path / 'a.pkl')
        assert found['split'] == {}
        samples = found['annotations']
        assert len(samples) == (2 if isinstance(content, list) else 1)
        assert np.array_equal(samples[-1]['keypoint'], sample['keypoint'])
    # As PoseDataset reads it.
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps([sample, sample]))
    dataset = SkeletonDataset(str(tmp_path / 'a.pkl'), pipeline=[])
    assert len(dataset) == len(PoseDataset(str(tmp_path / 'a.pkl'), pipeline=[])) == 2
    with pytest.raises(ValueError, match="has no split 'train'"):
        SkeletonDataset(str(tmp_path / 'a.pkl'), pipeline=[], split='train')


def test_tensors_say_what_to_do(annotation, tmp_path):
    annotation['annotations'][0]['keypoint'] = torch.ones(1, 1, 2, 3)
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(annotation))
    with pytest.raises(ValueError, match=r'torch.*tensor\.numpy\(\)') as found:
        load_annotation(tmp_path / 'a.pkl')
    assert 'damaged' not in str(found.value)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1], 'holds a list'),
        ([], 'holds a list'),
        (dict(annotations=[]), "'split' with a dict, found none"),
        (dict(split={}, labels=[]), r"'annotations' .* keys are \['labels', 'split'\]"),
        (dict(split=['a'], annotations=[]), "'split' with a dict, found list"),
        (
            dict(split={}, annotations=[], metainfo=None),
            "'metainfo' with a dict, found NoneType",
        ),
    ],
)
def test_wrong_content(content, message, tmp_path):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=message):
        load_annotation(tmp_path / 'a.pkl')


def test_save_then_load(annotation, tmp_path):
    path = tmp_path / 'new' / 'folder' / 'a.pkl'
    save_annotation(annotation, path)
    assert load_annotation(path)['split'] == annotation['split']
    assert os.listdir(path.parent) == ['a.pkl']


def test_interrupted_save_keeps_the_old_file(annotation, tmp_path):
    path = tmp_path / 'a.pkl'
    save_annotation(annotation, path)
    annotation['annotations'].append(lambda: None)  # fails half-way
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_annotation(annotation, path)
    assert len(load_annotation(path)['annotations']) == 1
    assert os.listdir(tmp_path) == ['a.pkl']


def test_only_pkl_is_written(annotation, tmp_path):
    with pytest.raises(ValueError, match=r'a\.npz must end in \.pkl'):
        save_annotation(annotation, tmp_path / 'a.npz')
