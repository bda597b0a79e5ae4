import re

import numpy as np
import pytest

from fdmae_mm.datasets.converters import (
    CONVERTERS,
    BadFileError,
    NTU60Converter,
    NTU120Converter,
    convert,
)
from fdmae_mm.datasets.converters.ntu_missing import MISSING_SKELETONS

NAME = 'S001C002P003R002A013'
# Ids as Kinect gives them: as floats, these are one and the same number.
ANN, BOB, EVE = '72057594037931101', '72057594037931102', '72057594037931103'


def body(x=0.0, width=0.0, height=1.0, z=2.0):
    """25 joints in a row from (x, 0, z) to (x + width, height, z)."""
    step = np.linspace(0, 1, 25)
    return np.stack([x + width * step, height * step, np.full(25, z)], axis=1)


def text_of(frames):
    """A .skeleton file of frames [(tracking id, joints), ...]."""
    lines = [len(frames)]
    for bodies in frames:
        lines.append(len(bodies))
        for tracking_id, joints in bodies:
            lines.append(f'{tracking_id} 0 1 1 1 1 0 0.02764709 0.05745083 2')
            lines.append(len(joints))
            lines += [f'{x} {y} {z} 277 192 1036 519 NaN 0 0 0 2' for x, y, z in joints]
    return '\r\n'.join(map(str, lines)) + '\r\n'


def sample_of(tmp_path, frames):
    (tmp_path / f'{NAME}.skeleton').write_text(text_of(frames))
    annotation, skipped = convert(NTU60Converter(), tmp_path)
    assert not skipped
    (sample,) = annotation['annotations']
    assert sample['total_frames'] == sample['keypoint'].shape[1]
    return sample


def persons(tmp_path, frames):
    """Keypoints, told by the x of the first joint: (M, T)."""
    return sample_of(tmp_path, frames)['keypoint'][:, :, 0, 0].tolist()


def walk(tracking_id, x, frames, speed=0.0, z=2.0, **shape):
    """A body at x that moves away from the camera: its frames."""
    return {
        t: (tracking_id, body(x, z=z + speed * i, **shape))
        for i, t in enumerate(frames)
    }


def together(num_frames, *walks):
    return [[walk[t] for walk in walks if t in walk] for t in range(num_frames)]


def test_a_file_becomes_an_annotation(tmp_path):
    first, second = body(0.25, width=0.5), body(0.3, z=1.9)
    sample = sample_of(tmp_path, [[(ANN, first)], [(ANN, second)]])
    keypoint = sample.pop('keypoint')
    assert keypoint.dtype == np.float32
    assert np.allclose(keypoint, [[first, second]], atol=1e-7)
    assert sample == dict(
        frame_dir=NAME,
        label=12,
        total_frames=2,
        subject=3,
        view=2,
        setup=1,
        repetition=2,
    )


def test_who_moves_more_comes_first(tmp_path):
    still, mover = walk(ANN, 1.0, range(12)), walk(BOB, 2.0, range(12), speed=0.1)
    assert persons(tmp_path, together(12, still, mover)) == [[2.0] * 12, [1.0] * 12]


def test_size_counts_as_motion(tmp_path):
    # Over joints and frames: tall has 0.36 in y, small 0.09 in y and 0.08 in z.
    tall = walk(ANN, 1.0, range(20), height=2.0)
    small = walk(BOB, 2.0, range(20), speed=0.05)
    assert persons(tmp_path, together(20, small, tall)) == [[1.0] * 20, [2.0] * 20]


def test_who_comes_later_can_move_more(tmp_path):
    ann, bob = walk(ANN, 1.0, range(20)), walk(BOB, 2.0, range(8, 20), speed=0.1)
    assert persons(tmp_path, together(20, ann, bob)) == [
        [0.0] * 8 + [2.0] * 12,
        [1.0] * 20,
    ]


def test_absent_person_is_zeros(tmp_path):
    ann = walk(ANN, 1.0, range(20), speed=0.1)
    bob = walk(BOB, 2.0, range(8, 20))
    keypoint = sample_of(tmp_path, together(20, ann, bob))['keypoint']
    assert not keypoint[1, :8].any()
    assert (keypoint[1, 8:, 0, 0] == 2).all()


def test_body_that_vanishes_and_returns_keeps_its_frames(tmp_path):
    ann = walk(ANN, 1.0, [*range(10), *range(12, 22)], speed=0.1)
    bob = walk(BOB, 2.0, range(22))
    assert persons(tmp_path, together(22, ann, bob)) == [
        [1.0] * 10 + [0.0] * 2 + [1.0] * 10,
        [2.0] * 22,
    ]


def test_frames_without_anybody_are_dropped(tmp_path):
    ann = walk(ANN, 1.0, [2, 3, 5])
    assert persons(tmp_path, together(8, ann)) == [[1.0] * 3]


def test_frames_of_noise_alone_are_dropped(tmp_path):
    ann, noise = walk(ANN, 1.0, range(4, 20)), walk(BOB, 2.0, range(5))
    assert persons(tmp_path, together(20, ann, noise)) == [[1.0] * 16]


@pytest.mark.parametrize(
    ('frames', 'count'), [(range(11), 1), (range(12), 2), (range(0, 20, 2), 1)]
)
def test_short_body_is_noise(tmp_path, frames, count):
    ann, bob = walk(ANN, 1.0, range(20)), walk(BOB, 2.0, frames, speed=0.1)
    assert len(persons(tmp_path, together(20, ann, bob))) == count


def test_bodies_that_are_all_short_stay(tmp_path):
    ann, bob = walk(ANN, 1.0, range(5)), walk(BOB, 2.0, range(5), speed=0.1)
    assert persons(tmp_path, together(5, ann, bob)) == [[2.0] * 5, [1.0] * 5]


# 14 / 20 = 0.7 is more than 0.69754, 13 / 20 is less.
@pytest.mark.parametrize(('wide_frames', 'count'), [(14, 1), (13, 2)])
def test_wide_body_is_noise(tmp_path, wide_frames, count):
    ann = walk(ANN, 1.0, range(20), speed=0.1)
    chair = walk(BOB, 2.0, range(20))
    chair |= walk(BOB, 2.0, range(wide_frames), width=0.81)
    assert len(persons(tmp_path, together(20, ann, chair))) == count


def test_as_wide_as_allowed(tmp_path):
    ann = walk(ANN, 1.0, range(20), speed=0.1)
    bob = walk(BOB, 2.0, range(20), width=1.0, height=1.25)  # 1.0 = 0.8 * 1.25
    assert len(persons(tmp_path, together(20, ann, bob))) == 2


def test_of_wide_bodies_the_least_wide_stays(tmp_path):
    ann = walk(ANN, 1.0, range(20), width=1.0, speed=0.1)
    bob = walk(BOB, 2.0, range(20)) | walk(BOB, 2.0, range(19), width=1.0)
    assert persons(tmp_path, together(20, ann, bob)) == [[2.0] * 20]


def test_wide_body_alone_stays(tmp_path):
    lying = walk(ANN, 1.0, range(20), width=2.0)
    assert persons(tmp_path, together(20, lying)) == [[1.0] * 20]


def test_motion_counts_in_narrow_frames_only(tmp_path):
    # Ann jumps to z = 9 in two wide frames; else she stands, while Bob moves slowly.
    ann = walk(ANN, 1.0, range(20)) | walk(ANN, 1.0, range(2), width=1.0, z=9.0)
    bob = walk(BOB, 2.0, range(20), speed=0.01)
    assert persons(tmp_path, together(20, ann, bob)) == [[2.0] * 20, [1.0] * 20]


def test_motion_counts_in_all_frames_where_that_is_less(tmp_path):
    # Beside y, the narrow frames have 0.36 in z, all frames 0.24 in x and z, Bob 0.3.
    ann = walk(ANN, 1.0, range(7), speed=0.3, z=1.1)
    ann |= walk(ANN, 1.0, range(7, 20), width=1.0)
    bob = walk(BOB, 2.0, range(20), speed=0.095)
    assert persons(tmp_path, together(20, ann, bob)) == [[2.0] * 20, [1.0] * 20]


def test_id_that_follows_another_is_the_same_person(tmp_path):
    ann = walk(ANN, 1.0, range(15), speed=0.3)
    bob = walk(BOB, 2.0, range(30), speed=0.1)
    again = walk(EVE, 3.0, range(16, 30))
    assert persons(tmp_path, together(30, ann, bob, again)) == [
        [1.0] * 15 + [0.0] + [3.0] * 14,
        [2.0] * 30,
    ]


def test_third_person_is_left_out(tmp_path):
    ann = walk(ANN, 1.0, range(15), speed=0.3)
    bob = walk(BOB, 2.0, range(15), speed=0.2)
    eve = walk(EVE, 3.0, range(15), speed=0.1)
    assert persons(tmp_path, together(15, eve, bob, ann)) == [[1.0] * 15, [2.0] * 15]


GOOD = text_of(together(3, walk(ANN, 1.0, range(3)), walk(BOB, 2.0, range(2))))
BAD = {
    'the file is empty': '',
    'nobody is tracked in its 2 frames': '2\n0\n0\n',
    'nobody is tracked in its 0 frames': '0\n',
    r"no number where a coordinate is expected: .*b'x'": GOOD.replace('1.0', 'x', 1),
    r"frame 1: no number.*b'1.0'.* 11 values, the last .* 25, and 12 for each": (
        GOOD.replace('25', '1.0', 1)
    ),
    r"no number.*b'three'": GOOD.replace('3', 'three', 1),
    r'frame 1 has a body of 24 joints': text_of([[(ANN, body()[:24])]]),
    r'4 values after its 3 frames': GOOD + '1 2 3 4\n',
    r'1 joints are NaN': GOOD.replace('1.0', 'NaN', 1),
}


@pytest.mark.parametrize(('reason', 'text'), BAD.items(), ids=range(len(BAD)))
def test_bad_file_is_listed_and_left_out(tmp_path, reason, text):
    (tmp_path / f'{NAME}.skeleton').write_text(text)
    (tmp_path / 'S001C001P001R001A001.skeleton').write_text(GOOD)
    annotation, skipped = convert(NTU60Converter(), tmp_path)
    assert len(annotation['annotations']) == 1
    ((name, found),) = skipped
    assert name == f'{NAME}.skeleton'
    assert re.search(reason, found)
    with pytest.raises(BadFileError, match=reason):
        convert(NTU60Converter(), tmp_path, strict=True)


@pytest.mark.parametrize('left', [1, 2, 12, 13, 100, 312, 313, 700, -1])
def test_incomplete_file(tmp_path, left):
    values = GOOD.split()
    (tmp_path / f'{NAME}.skeleton').write_text(' '.join(values[:left]))
    with pytest.raises(BadFileError, match=r'it ends in frame [123] of 3; unpack'):
        convert(NTU60Converter(), tmp_path, strict=True)


@pytest.mark.parametrize('strict', [False, True])
def test_samples_that_the_authors_list_are_left_out(tmp_path, strict):
    (tmp_path / 'S001C002P005R002A008.skeleton').write_text('0\n')
    (tmp_path / 'S032C003P067R002A077.skeleton').write_text(GOOD)
    (tmp_path / f'{NAME}.skeleton').write_text(GOOD)
    annotation, skipped = convert(NTU120Converter(), tmp_path, strict=strict)
    assert [a['frame_dir'] for a in annotation['annotations']] == [NAME]
    reason = 'the authors list its skeletons as missing or incomplete'
    assert skipped == [
        ('S001C002P005R002A008', reason),
        ('S032C003P067R002A077', reason),
    ]


def test_published_number_of_missing_samples():
    assert len(MISSING_SKELETONS) == 535
    assert sum(int(name[-3:]) <= 60 for name in MISSING_SKELETONS) == 302
    form = r'S0[0-3]\dC00[123]P\d{3}R00[12]A[01]\d\d'
    assert all(re.fullmatch(form, name) for name in MISSING_SKELETONS)
    # Setups 18 to 32 came with the actions from 61.
    assert all((int(n[1:4]) > 17) == (int(n[-3:]) > 60) for n in MISSING_SKELETONS)


@pytest.mark.parametrize(
    ('name', 'sets'),
    [
        ('S001C001P001R001A060.skeleton', ['ntu60', 'ntu120']),
        ('S018C001P001R001A061.skeleton', ['ntu120']),
        ('S018C001P001R001A121.skeleton', []),
        ('S001C001P001R001A000.skeleton', []),
        ('._S001C001P001R001A001.skeleton', []),
        ('S001C001P001R001A001.txt', []),
        ('S1C1P1R1A1.skeleton', []),
    ],
)
def test_names(tmp_path, name, sets):
    (tmp_path / name).write_text(GOOD)
    for converter in (NTU60Converter(), NTU120Converter()):
        if converter.format in sets:
            assert convert(converter, tmp_path)[0]['metainfo']['layout'] == 'nturgb+d'
        else:
            with pytest.raises(ValueError, match='holds no files SsssCcccPpppRrrrAaaa'):
                convert(converter, tmp_path)


def make_all(tmp_path, names):
    for name in names:
        (tmp_path / f'{name}.skeleton').write_text(GOOD)
    return tmp_path


def test_splits_of_ntu60(tmp_path):
    names = [
        'S001C001P001R001A001',
        'S001C002P003R001A001',
        'S001C003P038R001A001',
        'S002C001P040R001A001',
    ]
    annotation, _ = convert(NTU60Converter(), make_all(tmp_path, names))
    a, b, c, d = names
    assert annotation['split'] == dict(
        xsub_train=[a, c], xsub_val=[b, d], xview_train=[b, c], xview_val=[a, d]
    )


def test_splits_of_ntu120(tmp_path):
    names = [
        'S001C001P001R001A001',
        'S018C002P045R001A061',
        'S031C003P106R001A120',
        'S032C001P103R001A120',
    ]
    annotation, _ = convert(NTU120Converter(), make_all(tmp_path, names))
    a, b, c, d = names
    assert annotation['split'] == dict(
        xsub_train=[a, b, d], xsub_val=[c], xset_train=[b, d], xset_val=[a, c]
    )


def test_number_of_training_subjects():
    train = NTU120Converter().split(
        [dict(frame_dir=str(i), subject=i, setup=1) for i in range(1, 107)]
    )['xsub_train']
    assert len(train) == 53
    assert sum(int(subject) <= 40 for subject in train) == 20
    assert sum(map(int, train)) == 2795  # of the published list, against a slip


def test_classes():
    names = NTU120Converter.classes
    assert (len(names), len(set(names))) == (120, 120)
    assert names[:60] == NTU60Converter.classes
    assert [names[i - 1] for i in (1, 42, 50, 61, 99, 120)] == [
        'drink water',
        'staggering',
        'punching/slapping other person',
        'put on headphone',
        'running on the spot',
        'finger-guessing game (playing rock-paper-scissors)',
    ]


def test_formats():
    assert CONVERTERS['ntu60'] is NTU60Converter
    assert CONVERTERS['ntu120'] is NTU120Converter
