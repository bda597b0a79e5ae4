"""Result records say what was measured, and how to measure it again."""

import json
import os
import subprocess
import sys
from importlib import metadata
from types import ModuleType

import pytest
import torch
from mmengine.config import Config

from fdmae_mm.evaluation import records
from fdmae_mm.evaluation.records import FIELDS, make_record, read_record, write_record


@pytest.fixture
def cfg(tmp_path):
    """A linear probe, whose data set is wrapped in training and plain in a test."""
    clips = {
        loader: f"dict(ann_file='data/nw_ucla.pkl', split='{split}')"
        for loader, split in (('train', 'xview_train'), ('eval', 'xview_val'))
    }
    path = tmp_path / 'linear_nw-ucla.py'
    path.write_text(
        "protocol = 'linear'\n"
        'randomness = dict(seed=3)\n'
        f'train_dataloader = dict(dataset=dict(times=2, dataset={clips["train"]}))\n'
        f'eval_dataloader = dict(dataset={clips["eval"]})\n'
    )
    return Config.fromfile(path)


def test_record_of_a_probe(cfg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ['train.py', f'{tmp_path}/my configs/a.py', '--cfg-options', 'a.b=3']
    monkeypatch.setattr('sys.argv', command)
    meta = dict(experiment_name='fdmae_nw-ucla_20261122_101112', seed=2, epoch=15)
    meta['seconds'] = 98.6
    torch.save(dict(state_dict={}, meta=meta), tmp_path / 'epoch_15.pth')
    record = make_record(
        cfg, {'top1': 71.23456}, 12.6, epochs=10, checkpoint=tmp_path / 'epoch_15.pth'
    )
    assert set(record) == {*FIELDS, 'processes'}
    assert record['processes'] == 1
    assert record['config'] == 'linear_nw-ucla'
    assert record['protocol'] == 'linear'
    assert (record['dataset'], record['split']) == ('nw_ucla', 'xview_val')
    assert (record['seed'], record['epochs'], record['seconds']) == (3, 10, 13)
    assert record['metrics'] == {'top1': 71.235}
    assert record['command'] == "train.py 'my configs/a.py' --cfg-options a.b=3"
    assert record['start'] == dict(
        config='fdmae_nw-ucla', seed=2, epochs=15, seconds=99
    )
    assert record['versions']['torch'] == torch.__version__


def test_record_has_the_versions_of_what_the_config_imports(cfg, monkeypatch):
    mine, script = ModuleType('mine'), ModuleType('script')
    mine.__version__ = '0.3'
    monkeypatch.setitem(sys.modules, 'mine', mine)
    monkeypatch.setitem(sys.modules, 'script', script)
    before = make_record(cfg, {}, 1)['versions']
    cfg.custom_imports = dict(
        imports=['fdmae_mm', 'mine.models', 'script', 'sklearn.svm']
    )
    found = dict(mine='0.3', script=None, sklearn=metadata.version('scikit-learn'))
    assert make_record(cfg, {}, 1)['versions'] == before | found
    cfg.custom_imports.imports = 'mine'
    assert make_record(cfg, {}, 1)['versions'] == before | dict(mine='0.3')


def test_weights_that_are_gone_cost_no_record(cfg, tmp_path):
    start = make_record(cfg, {}, 1, checkpoint=tmp_path / 'a.pth')['start']
    assert start == dict(config='a', seed=None, epochs=None, seconds=None)


def test_record_of_pre_training_names_the_training_split(cfg):
    cfg.pop('protocol')
    record = make_record(cfg, {}, 1)
    assert (record['protocol'], record['split']) == ('pretrain', 'xview_train')
    assert record['start'] is None


def test_record_of_a_test_names_the_clips_that_were_tested(cfg):
    cfg.test_dataloader = dict(dataset=dict(ann_file='b.pkl', split='fold2_val'))
    record = make_record(cfg, {}, 1, loader='test_dataloader')
    assert (record['dataset'], record['split']) == ('b', 'fold2_val')


def test_record_of_joined_sets_names_each_once(cfg):
    splits = [('a.pkl', 'train'), ('a.pkl', 'dev'), ('b.pkl', 'train')]
    parts = [dict(ann_file=file, split=split) for file, split in splits]
    joined = dict(type='ConcatDataset', datasets=[dict(times=2, dataset=parts[0])])
    joined['datasets'] += parts[1:]
    cfg.eval_dataloader = dict(dataset=dict(times=3, dataset=joined))
    record = make_record(cfg, {}, 1)
    assert (record['dataset'], record['split']) == ('a+b', 'train+dev')


def test_revision_is_that_of_the_repository_of_the_package(tmp_path, monkeypatch):
    def git(*args):
        identity = ('-c', 'user.name=a', '-c', 'user.email=a')
        # In a hook of git the environment names the repository of the hook.
        env = dict(PATH=os.environ['PATH'])
        subprocess.run(['git', *identity, *args], cwd=tmp_path, env=env, check=True)

    def revision():
        return records.measured_on()['revision']

    # As an environment inside the repository of a project has it.
    (tmp_path / 'records.py').touch()
    monkeypatch.setattr(records, '__file__', str(tmp_path / 'records.py'))
    git('init', '-q')
    git('commit', '-q', '--allow-empty', '-m', 'theirs')
    assert revision() is None
    git('add', 'records.py')
    git('commit', '-q', '-m', 'ours')
    found = revision()
    assert len(found) == 10
    (tmp_path / 'records.py').write_text('# changed')
    assert revision() == f'{found}+'
    monkeypatch.setenv('GIT_DIR', str(tmp_path / 'nowhere'))
    assert revision() == f'{found}+'


def test_round_trip(cfg, tmp_path):
    record = make_record(cfg, {'top1': 50}, 1)
    write_record(record, tmp_path / 'new' / 'record.json')
    assert read_record(tmp_path / 'new' / 'record.json') == record
    assert [p.name for p in (tmp_path / 'new').iterdir()] == ['record.json']


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('{', 'no valid json'),
        ('[]', 'lacks everything'),
        (json.dumps(dict.fromkeys(FIELDS[1:])), r"lacks \['config'\]"),
    ],
)
def test_file_that_is_no_record(tmp_path, content, message):
    (tmp_path / 'record.json').write_text(content)
    with pytest.raises(ValueError, match=rf'record\.json.*{message}'):
        read_record(tmp_path / 'record.json')
