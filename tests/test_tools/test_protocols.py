"""Protocols of evaluation, run by the commands and configs that users run."""

import csv
import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from fdmae_mm.apis import commands, compare, fuse
from fdmae_mm.datasets.annotation import load_annotation
from fdmae_mm.evaluation import (
    extract_joints,
    extract_views,
    linear_probe_scores,
    probes,
    read_scores,
    top1_accuracy,
)
from fdmae_mm.evaluation.records import read_record

CONFIGS = Path(__file__).parents[2] / 'configs'
LINEAR = 'benchmarks/linear/linear_synthetic.py'
KNN = 'benchmarks/knn/knn_synthetic.py'


@pytest.fixture
def linear(tiny_config, synthetic_ann_file):
    """The linear benchmark on 40 clips for training and 60 to test."""
    source = f'dict(ann_file={synthetic_ann_file!r})'
    return tiny_config(
        LINEAR,
        'linear',
        "model['backbone']['frozen_stages'] = 1\n"
        f'bank_dataloader = dict(dataset=dict(**{source}, indices=40))\n'
        f'eval_dataloader = dict(dataset={source})\n'
        "train_dataloader['num_workers'] = 0\n"
        "train_dataloader['dataset'] = "
        f'dict(times=3, dataset=dict(**{source}, indices=40))\n',
    )


@pytest.fixture
def checkpoint(linear, tmp_path):
    """Writes an untrained encoder; the second differs from the first."""
    init_default_scope('mmaction')

    def write(name, seed=0):
        torch.manual_seed(seed)
        model = MODELS.build(Config.fromfile(linear).model)
        torch.save(dict(state_dict=model.state_dict()), tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.fixture
def given(monkeypatch):
    """What the command extracts features of: of test views, and of augmented ones."""
    calls = dict(extract_features=[], extract_views=[])
    for name, arguments in calls.items():

        def spy(*args, name=name, arguments=arguments, **options):
            arguments.append(args)
            return getattr(probes, name)(*args, **options)

        monkeypatch.setattr(commands, name, spy)
    return calls


def test_probe_prints_what_it_returns(linear, checkpoint, capsys):
    result = commands.probe([linear, checkpoint('a.pth')])
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == result
    assert list(result) == ['1nn', 'knn20', 'linear', 'map']
    assert all(0 <= value <= 100 for value in result.values())


def test_figures_outlive_a_disk_that_is_full(
    linear, checkpoint, tmp_path, capsys, monkeypatch
):
    def full(*_):
        raise OSError('No space left on device')

    monkeypatch.setattr(commands, 'write_record', full)
    work_dir = str(tmp_path / 'probe')
    line = [linear, checkpoint('a.pth'), '--views', '1', '--work-dir', work_dir]
    with pytest.raises(OSError, match='No space'):
        commands.probe(line)
    assert set(json.loads(capsys.readouterr().out.splitlines()[-1])) >= {'linear'}
    (tmp_path / 'file').touch()
    with pytest.raises(OSError, match='probe is no folder'):
        commands.probe([*line[:-1], str(tmp_path / 'file' / 'probe')])
    assert not capsys.readouterr().out


def test_views_are_passes_of_the_training_pipeline(linear, checkpoint, given):
    path = checkpoint('a.pth')
    alone = commands.probe([linear, path, '--views', '1'])
    assert not given['extract_views']
    result = commands.probe([linear, path, '--views', '3'])
    assert commands.probe([linear, path, '--views', '3']) == result
    for key in ('1nn', 'knn20', 'map'):  # of the test views, as before
        assert result[key] == alone[key]
    (_, augmented, views), _ = given['extract_views']
    _, bank = given['extract_features'][0]
    assert views == 3
    names, inputs = [], []
    for loader in (bank, *[augmented] * views):
        batches = list(loader)
        names.append([s.frame_dir for b in batches for s in b['data_samples']])
        inputs.append(torch.stack([x for b in batches for x in b['inputs']]))
    # Each clip once, though an epoch of training repeats them and drops a rest.
    assert len(names[0]) == 40 and all(other == names[0] for other in names)
    for i in range(4):
        assert not any(torch.equal(inputs[i], inputs[j]) for j in range(i))


@pytest.mark.parametrize('encoder', ['a.pth', 'joints'])
def test_scores_of_a_probe_are_those_of_its_figures(
    encoder, linear, checkpoint, tmp_path
):
    encoder = encoder if encoder == 'joints' else checkpoint(encoder)
    folder = tmp_path / 'scores'
    result = commands.probe([linear, encoder, '--views', '2', '--dump', str(folder)])
    dataset = Config.fromfile(linear).eval_dataloader.dataset
    clips = load_annotation(dataset.ann_file)['annotations']
    of_name = {clip['frame_dir']: clip['label'] for clip in clips}
    files = {path.stem: str(path) for path in folder.iterdir()}
    assert files.keys() == result.keys() - {'map'}
    for name, path in files.items():
        _, labels, names = read_scores(path)
        assert len(set(names)) == len(names) == 60
        assert [of_name[clip] for clip in names] == labels.tolist()
        assert fuse([path])[path]['top1'] == pytest.approx(result[name], abs=0.05)


def test_views_need_a_training_pipeline(tiny_config, checkpoint):
    path = checkpoint('a.pth')
    with pytest.raises(ValueError, match='no train_dataloader for --views 5'):
        commands.probe([tiny_config(KNN), path, '--views', '5'])


def test_passes_in_different_orders_are_refused(linear):
    cfg = Config.fromfile(linear)
    cfg.bank_dataloader.batch_size = 15
    init_default_scope('mmaction')
    batches = list(Runner.build_dataloader(cfg.bank_dataloader, seed=0))

    class Shuffled:
        def __iter__(self):
            batches.reverse()
            return iter(batches)

    with pytest.raises(ValueError, match='must not shuffle'):
        extract_views(extract_joints, Shuffled(), 2)


def test_what_stands_beside_a_result(linear, checkpoint, given, tmp_path, capsys):
    """An encoder of random weights, by the seed, and joints without an encoder."""
    seed = ['--cfg-options', 'randomness.seed=5']
    untrained = commands.probe([linear, 'untrained', *seed])
    assert commands.probe([linear, checkpoint('a.pth', 5), *seed]) == untrained
    commands.probe([linear, 'untrained', '--cfg-options', 'randomness.seed=6'])
    first, same, *_, other = [model for model, *_ in given['extract_features']]
    tables = [m.backbone.joint_table.cpu() for m in (first, same, other)]
    assert torch.equal(tables[0], tables[1])
    assert not torch.equal(tables[0], tables[2])
    given['extract_features'].clear()
    work_dir = f'--work-dir={tmp_path / "joints"}'
    joints = commands.probe([linear, 'joints', '--views=2', work_dir])
    assert list(joints) == ['1nn', 'linear', 'svm'] and not given['extract_features']
    left = read_record(tmp_path / 'joints' / 'record.json')
    assert left['protocol'] == 'joints, 2 views' and left['start'] is None
    with pytest.raises(SystemExit):
        commands.probe([linear, 'joints', '--keep-joints'])
    assert '--few-shot are of an encoder, not of joints' in capsys.readouterr().err


def test_few_shot_of_given_classes(linear, checkpoint):
    # The test split has 3 clips of each class.
    few_shot = ['--few-shot', '2', '1', '--queries', '2']
    path = checkpoint('a.pth')
    result = commands.probe([linear, path, *few_shot])
    assert 50 < result['2way_1shot'] < 100 and 0 < result['2way_1shot_ci95'] < 5
    pair = commands.probe([linear, path, *few_shot, '--classes', '3', '8'])
    assert pair['2way_1shot'] != result['2way_1shot']


@pytest.mark.parametrize(
    'options, message',
    [
        (['--views', '0'], '--views 0: must be at least 1'),
        (['--classes', '1', '2'], '--classes are those of --few-shot'),
        (['--hold-out', 'x', '--dump', 'x'], '--dump is of the test split'),
        (['--launcher', 'pytorch'], 'a probe runs in one process'),
        (['--few-shot', '1', '1'], 'ways=1 of a few-shot episode must be at least 2'),
        (['--few-shot', '2', '1', '--queries', '0'], 'queries=0 of a few-shot episode'),
    ],
)
def test_options_of_the_probe(options, message, capsys):
    with pytest.raises(SystemExit):
        commands.probe(['config.py', 'a.pth', *options])
    assert message in capsys.readouterr().err


def test_a_probe_measures_the_checkpoint_that_it_names(linear, checkpoint, given):
    """Its record names it too, whatever a grid lets training begin with."""
    first, other = checkpoint('a.pth'), checkpoint('b.pth', seed=1)
    option = f'model.backbone.init_cfg.checkpoint={other}'
    commands.probe([linear, first, '--cfg-options', option])
    table = torch.load(first)['state_dict']['backbone.joint_table']
    for model, *_ in given['extract_features']:
        assert torch.equal(model.backbone.joint_table.cpu(), table)


def test_cfg_options_have_the_last_word_in_train_and_test(
    tiny_config, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)

    class Built(Exception):  # noqa: N818
        pass

    def stop(cfg):
        raise Built(cfg)

    monkeypatch.setattr(Runner, 'from_cfg', stop)
    monkeypatch.setattr(commands, 'read_weights', lambda path: {})
    with pytest.raises(Built) as built:
        options = ['randomness.seed=2', 'work_dir=there']
        commands.train(
            [
                tiny_config(LINEAR),
                *('--seed', '1', '--work-dir', 'here', '--cfg-options', *options),
            ]
        )
    (cfg,) = built.value.args
    assert (cfg.randomness.seed, cfg.work_dir) == (2, 'there')
    with pytest.raises(Built) as built:
        options = ['load_from=b.pth', 'test_evaluator.prefix=x']
        commands.test(
            [tiny_config(KNN), 'a.pth', '--dump', 'x.pkl', '--cfg-options', *options]
        )
    (cfg,) = built.value.args
    assert cfg.load_from == 'b.pth'
    # The dump is no part of the config, which the option speaks of.
    assert cfg.test_evaluator['prefix'] == 'x'


CLIPS = {
    'own': [
        dict(
            type='TemporalCropResize',
            clip_len=32,
            crop_range=(0.5, 0.5),
            num_clips=3,
            test_mode=True,
        ),
    ],
    'stock': [
        dict(type='UniformSampleFrames', clip_len=32, num_clips=3, test_mode=True),
        dict(type='PoseDecode'),
    ],
}


@pytest.mark.parametrize('sampling', CLIPS)
@pytest.mark.parametrize('average_clips', ['prob', 'score'])
def test_scores_of_several_clips_are_averaged(linear, sampling, average_clips):
    init_default_scope('mmaction')
    cfg = Config.fromfile(linear)
    cfg.eval_dataloader.dataset.update(
        indices=4,
        pipeline=[*CLIPS[sampling], *cfg.eval_dataloader.dataset.pipeline[-2:]],
    )
    cfg.model.cls_head.average_clips = average_clips
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    nn.init.normal_(model.cls_head.fc.weight)
    (batch,) = Runner.build_dataloader(cfg.eval_dataloader, seed=0)
    assert all(len(clips) == 3 for clips in batch['inputs'])
    clips = torch.cat(batch['inputs'])[:, None]
    apart = dict(
        inputs=list(clips),
        data_samples=[s.new() for s in batch['data_samples'] for _ in range(3)],
    )
    with torch.no_grad():
        together = torch.stack([s.pred_score for s in model.test_step(batch)])
        apart = torch.stack([s.pred_score for s in model.test_step(apart)])
    assert torch.allclose(together, apart.view(4, 3, -1).mean(1), atol=1e-6)
    assert not torch.allclose(together, apart[::3], atol=1e-3)


def test_several_clips_by_the_command(tiny_config, checkpoint, tmp_path):
    """1-NN gives each of the three clips one class, so that scores are thirds."""
    dump = tmp_path / 'scores.pkl'
    crops = 'test_dataloader.dataset.pipeline.1'
    options = [f'{crops}.num_clips=3', f'{crops}.crop_range=(0.3,0.3)']
    args = [tiny_config(KNN), checkpoint('a.pth'), '--dump', str(dump)]
    commands.test([*args, '--cfg-options', *options])
    scores, _, names = read_scores(dump)
    assert scores.shape == (16, 20) and len(set(names)) == 16
    assert np.allclose(scores.sum(1), 1)
    assert np.allclose(3 * scores, np.round(3 * scores), atol=1e-5)
    assert (scores.max(1) < 0.9).any()


def test_dump_and_report_of_a_test(tiny_config, checkpoint, tmp_path):
    joint, bone = str(tmp_path / 'joint.pkl'), str(tmp_path / 'bone.pkl')
    report = f"dict(type='AccReport', out_dir={str(tmp_path)!r})"
    config = tiny_config(KNN, extra=f'test_evaluator = {report}\n')
    metrics = commands.test([config, checkpoint('a.pth'), '--dump', joint])
    low, high = metrics['acc/top1_low'], metrics['acc/top1_high']
    assert 0 <= low < metrics['acc/top1'] < high <= 1
    shutil.copy(joint, bone)
    rows = fuse([joint, bone, '--coefficients', '2', '1'])
    assert rows['fusion'] == rows[joint]
    assert rows[joint]['top1'] == pytest.approx(100 * metrics['acc/top1'])
    assert rows[joint]['mean1'] == pytest.approx(100 * metrics['acc/mean1'])
    comparison = compare([joint, '--against', bone])
    assert comparison.first == comparison.second == pytest.approx(metrics['acc/top1'])
    with open(tmp_path / 'confusion_matrix.csv', newline='') as file:
        (_, *names), *_ = csv.reader(file)
    ann_file = Config.fromfile(config).test_dataloader.dataset.ann_file
    assert names == list(load_annotation(ann_file)['metainfo']['classes'])


def gaussian_clips(seed, num_clips, num_classes=8, dims=32):
    """Overlapping classes, far from the origin: features and labels."""
    generator = torch.Generator().manual_seed(0)
    centres = 5 + torch.randn(num_classes, dims, generator=generator)
    generator.manual_seed(seed)
    labels = torch.randint(num_classes, (num_clips,), generator=generator)
    noise = torch.randn(num_clips, dims, generator=generator)
    return centres[labels] + 2.5 * noise, labels


@DATASETS.register_module()
class GaussianClips(Dataset):
    """Such features as (K, M, T, V, C) with one cell."""

    def __init__(self, **kwargs):
        self.clips = [
            dict(
                inputs=feature.view(1, 1, 1, 1, -1),
                data_samples=ActionDataSample().set_gt_label(label.item()),
            )
            for feature, label in zip(*gaussian_clips(**kwargs), strict=True)
        ]

    def __len__(self):
        return len(self.clips)

    def __getitem__(self, index):
        return self.clips[index]


@MODELS.register_module()
class GivenFeatures(nn.Module):
    """A frozen encoder: (N, M, T, V, C) -> (N, M, C, T, V)."""

    def forward(self, x):
        return x.permute(0, 1, 4, 2, 3)


def test_the_slow_linear_protocol_agrees_with_the_cached_one(tmp_path):
    cfg = Config.fromfile(CONFIGS / 'benchmarks/linear/linear_ntu60.py')
    cfg.work_dir = str(tmp_path)
    cfg.model.backbone = dict(type='GivenFeatures')
    cfg.model.cls_head.update(num_classes=8, in_channels=32)
    train, test = dict(seed=1, num_clips=256), dict(seed=2, num_clips=512)
    for name, clips in (('train', train), ('val', test), ('test', test)):
        cfg[f'{name}_dataloader'] = dict(
            batch_size=256,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=name == 'train'),
            dataset=dict(type='GaussianClips', **clips),
        )
    cfg.train_cfg.val_interval = cfg.train_cfg.max_epochs
    cfg.default_hooks.checkpoint.interval = -1
    cfg.log_level = 'WARNING'
    runner = Runner.from_cfg(cfg)
    runner.train()
    slow = 100 * runner.message_hub.get_scalar('val/acc/top1').current()
    features, queries = gaussian_clips(**train), gaussian_clips(**test)

    def probe(**schedule):
        scores = linear_probe_scores(*features, queries[0], **schedule)
        return top1_accuracy(scores, queries[1])

    cached = probe()
    assert 40 < cached < 90
    assert slow == pytest.approx(cached, abs=1)
    # Another schedule gives another figure.
    for other in (dict(lr=1e-3), dict(epochs=10)):
        assert abs(probe(**other) - slow) > 2


def test_script_of_the_probe(monkeypatch, capsys):
    script = Path(__file__).parents[2] / 'tools' / 'probe.py'
    monkeypatch.setattr(sys, 'argv', [str(script), '--help'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(script), run_name='__main__')
    assert '--few-shot' in capsys.readouterr().out
