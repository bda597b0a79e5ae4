import json
import os
import pickle
import runpy
import sys
from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch

from fdmae_mm.apis import fuse
from fdmae_mm.evaluation import Scores, fuse_scores, read_scores
from fdmae_mm.evaluation.records import FIELDS, read_record

LABELS = [0, 1, 2, 1]
JOINT = [[0.6, 0.4, 0.0], [0.55, 0.45, 0.0], [0.1, 0.2, 0.7], [0.0, 0.9, 0.1]]
BONE = [[0.2, 0.8, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0], [0.5, 0.2, 0.3]]


def samples(scores, labels=LABELS, **extra):
    return [
        dict(
            pred_score=torch.tensor(score),
            pred_label=torch.tensor([0]),
            gt_label=torch.tensor([label]),
            frame_dir=f'clip{i}',
            **extra,
        )
        for i, (score, label) in enumerate(zip(scores, labels, strict=True))
    ]


def stream(scores, labels=LABELS, names=None):
    names = names or [f'clip{i}' for i in range(len(labels))]
    return Scores(np.array(scores), np.array(labels), names)


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / f'{name}.pkl'
        mmengine.dump(content, str(path))  # as DumpResults does
        return str(path)

    return write


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_scores_are_read_as_they_were_written(write, dtype):
    content = samples(JOINT, num_clips=1, img_shape=(2, 3))
    for sample in content:
        sample['pred_score'] = sample['pred_score'].to(dtype)
    read = read_scores(write('joint', content))
    assert np.array_equal(read.scores, torch.tensor(JOINT).to(dtype).float().numpy())
    assert read.labels.tolist() == LABELS
    assert read.names == ['clip0', 'clip1', 'clip2', 'clip3']


def test_slices_of_a_batch_are_read(write):
    """The scores of a batch share a storage, of which each pickle holds all."""
    content = samples(JOINT)
    for sample, row in zip(content, torch.tensor(JOINT), strict=True):
        sample['pred_score'] = row
    assert np.allclose(read_scores(write('joint', content)).scores, JOINT)


class Evil:
    """Makes a file where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


class EvilStorage(Evil):
    """Has such code inside of the bytes that PyTorch would load as a storage."""

    def __reduce__(self):
        return torch.storage._load_from_bytes, (pickle.dumps(Evil(self.path), 2),)


@pytest.mark.parametrize('kind', [Evil, EvilStorage])
def test_nothing_in_a_file_is_run(write, tmp_path, kind):
    trace = tmp_path / 'trace'
    path = write('evil', [dict(samples(JOINT)[0], pred_score=kind(str(trace)))])
    with pytest.raises(ValueError, match=r'evil\.pkl could not be read as the scores'):
        read_scores(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    'content',
    [
        {},
        [],
        [1],
        [dict(gt_label=torch.tensor([0]))],
        [dict(pred_score=torch.ones(2), gt_label=torch.tensor([0, 1]))],
        samples([[0.5], [0.5, 0.5]], [0, 0]),
    ],
)
def test_another_content_is_named(write, content):
    with pytest.raises(ValueError, match=r'other\.pkl'):
        read_scores(write('other', content))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'bone\.pkl does not exist\. Write'):
        read_scores(tmp_path / 'bone.pkl')


def test_weighted_sum_by_hand():
    streams = dict(joint=stream(JOINT), bone=stream(BONE))
    fused = fuse_scores(streams, [2, 1])
    assert np.allclose(fused[0], [1.4, 1.6, 0.0])
    assert np.allclose(fused, 2 * np.array(JOINT) + np.array(BONE))


@pytest.mark.parametrize('coefficients', [[float('nan'), 1], [0, 0]])
def test_coefficients_are_weights(coefficients):
    streams = dict(joint=stream(JOINT), bone=stream(BONE))
    with pytest.raises(ValueError, match='must be finite, and not all 0'):
        fuse_scores(streams, coefficients)


def test_softmax_before_the_sum():
    """A stream of large scores would else decide alone."""
    streams = dict(a=stream([[100.0, 0.0]], [0]), b=stream([[0.0, 3.0]], [0]))
    assert np.allclose(fuse_scores(streams, [1, 1]), [[100, 3]])
    small = 1 / (1 + np.exp(3))
    fused = fuse_scores(streams, [1, 1], apply_softmax=True)
    assert np.allclose(fused, [[1 + small, 1 - small]])


@pytest.mark.parametrize(
    'other, message',
    [
        (stream(BONE[:3], LABELS[:3]), r'joint .* \(4, 3\), bone has \(3, 3\)'),
        (stream(np.ones((4, 2))), r'joint .* \(4, 3\), bone has \(4, 2\)'),
        (
            stream(BONE, [0, 1, 2, 2]),
            'Clip 3 is clip3 of class 1 .* of class 2 in bone',
        ),
        (stream(BONE, names=['clip0', 'x', 'y', 'z']), 'Clip 1 is clip1 .* but x'),
    ],
)
def test_streams_of_other_clips(other, message):
    with pytest.raises(ValueError, match=message):
        fuse_scores(dict(joint=stream(JOINT), bone=other), [1, 1])


def test_clips_without_names_are_told(capfd):
    """As MMAction2's own configs pack them: other clips could have the same labels."""
    named, unnamed = stream(JOINT), stream(BONE, names=[None] * 4)
    fuse_scores(dict(joint=named, bone=named), [1, 1])
    assert 'frame_dir' not in ''.join(capfd.readouterr())
    fuse_scores(dict(joint=unnamed), [1])  # compared with nothing
    assert 'frame_dir' not in ''.join(capfd.readouterr())
    fuse_scores(dict(joint=unnamed, bone=unnamed), [1, 1])
    assert 'joint, bone: clips have no frame_dir' in ''.join(capfd.readouterr())


def test_command_prints_each_stream_and_the_fusion(write, capsys):
    joint, bone = write('joint', samples(JOINT)), write('bone', samples(BONE))
    rows = fuse([joint, bone, '--coefficients', '4', '1'])
    # Joint is wrong on clip 1 alone, bone on clips 0 and 3.
    assert [rows[name]['top1'] for name in (joint, bone, 'fusion')] == [75, 50, 100]
    assert rows[joint]['mean1'] == pytest.approx(100 * (1 + 1 / 2 + 1) / 3)
    assert rows[joint]['top5'] == 100
    last = capsys.readouterr().out.splitlines()[-1].split()
    assert last == ['fusion', '100.00', '100.00', '100.00']
    # With equal weights bone prevails on clip 0 too.
    assert fuse([joint, bone])['fusion']['top1'] == 75
    ranked = write('ranked', samples([[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]] * 2, [4, 5]))
    assert fuse([ranked])['fusion']['top5'] == 50  # the fifth class and the sixth
    # Large scores decide alone, but for --apply-softmax.
    streams = [
        write(name, samples([scores], [1]))
        for name, scores in (('a', [9.0, 0.0]), ('b', [0.0, 3.0]), ('c', [0.0, 3.0]))
    ]
    assert fuse(streams)['fusion']['top1'] == 0
    assert fuse([*streams, '--apply-softmax'])['fusion']['top1'] == 100


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['a.pkl', '--coefficients', '1', '2'], '2 coefficients are given for 1 files'),
        (['a.pkl', 'a.pkl'], 'a file is given twice'),
        (['a.pkl', '--out', 'a.json'], '--records and --out go together'),
        (['a.pkl', '--records', 'b.json'], '--records and --out go together'),
        (
            ['a.pkl', 'b.pkl', '--records', 'a.json', '--out', 'c.json'],
            '1 records are given for 2 files',
        ),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit):
        fuse(arguments)
    assert message in capsys.readouterr().err


@pytest.fixture
def run(tmp_path):
    def run(name, top1, **fields):
        path = tmp_path / f'{name}.json'
        start = dict(config=f'fdmae_nw-ucla_{name}', seed=1, epochs=15, seconds=9)
        record = dict.fromkeys(FIELDS) | dict(
            config=f'finetune_nw-ucla_{name}',
            protocol='finetune',
            dataset='nw_ucla',
            split='xview_val',
            seed=1,
            start=start,
            metrics=dict(top1=top1),
            seconds=10,
        )
        path.write_text(json.dumps(record | fields))
        return str(path)

    return run


def test_record_of_the_sum(write, run, tmp_path):
    joint, bone = write('joint', samples(JOINT)), write('bone', samples(BONE))
    records = [run('joint', 75.0), run('bone', 50.0, seed=2)]
    out = tmp_path / 'new' / 'sum.json'
    arguments = [joint, bone, '--coefficients', '4', '1', '--out', str(out)]
    fuse([*arguments, '--records', *records])
    record = read_record(out)
    assert record['metrics'] == dict(top1=100, top5=100, mean1=100)
    assert (record['config'], record['protocol']) == (
        'finetune_nw-ucla_joint',
        'finetune',
    )
    assert (record['dataset'], record['split']) == ('nw_ucla', 'xview_val')
    assert record['seconds'] == 20
    assert record['command']  # that of the sum: those of the runs are None here
    assert record['versions']['torch'] == torch.__version__
    starts = [
        dict(config=f'fdmae_nw-ucla_{name}', seed=1, epochs=15, seconds=9)
        for name in ('joint', 'bone')
    ]
    assert record['streams'] == [
        dict(config='finetune_nw-ucla_joint', seed=1, start=starts[0]),
        dict(config='finetune_nw-ucla_bone', seed=2, start=starts[1]),
    ]


def test_record_of_another_run_is_refused(write, run, tmp_path):
    joint, bone = write('joint', samples(JOINT)), write('bone', samples(BONE))
    records = [run('joint', 75.0), run('bone', 50.0)]
    out = tmp_path / 'sum.json'
    with pytest.raises(ValueError, match=r'bone\.json has top1 50\.0, the scores of'):
        fuse([joint, bone, '--out', str(out), '--records', *reversed(records)])
    for field, value in (
        ('split', 'xsub_val'),
        ('protocol', 'linear'),
        ('dataset', 'utd_mhad'),
    ):
        other = run('bone', 50.0, **{field: value})
        with pytest.raises(ValueError, match=f'has {field} .* and .* {value!r} in'):
            fuse([joint, bone, '--out', str(out), '--records', records[0], other])
    assert not out.exists()


def test_script(write, monkeypatch, capsys):
    script = Path(__file__).parents[2] / 'tools' / 'analysis' / 'fuse_scores.py'
    monkeypatch.setattr(sys, 'argv', [str(script), write('joint', samples(JOINT))])
    runpy.run_path(str(script), run_name='__main__')
    assert '75.00' in capsys.readouterr().out
