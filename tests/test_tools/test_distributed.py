"""Two processes on gloo through tools/dist_train.sh and tools/dist_test.sh."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / 'tools'
RANK_DUMP = '''
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook

from mmaction.registry import HOOKS


@HOOKS.register_module()
class RankDump(Hook):
    """Writes what each rank holds after training, and its last gradients."""

    def __init__(self, folder):
        self.folder = folder

    def before_train(self, runner):
        self.optimizer = runner.optim_wrapper.optimizer
        self.optimizer.register_step_pre_hook(self.keep_gradients)

    def keep_gradients(self, *_):
        groups = self.optimizer.param_groups
        params = [p for g in groups for p in g['params'] if p.requires_grad]
        grads = [p.grad.flatten() for p in params]
        self.gradients = torch.cat(grads).clone()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.names = [s.frame_dir for s in data_batch['data_samples']]

    def after_train(self, runner):
        state = runner.model.module.state_dict()
        dump = dict(state=state, gradients=self.gradients, names=self.names)
        torch.save(dump, f'{self.folder}/rank{get_rank()}.pth')
'''


def run(script, *args, path=''):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = dict(
        os.environ,
        PORT=str(port),
        OMP_NUM_THREADS='1',
        PYTHONPATH=path,
        PATH=f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
    )
    command = ['bash', str(TOOLS / script), *map(str, args)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


def test_two_processes_agree(tiny_config, tmp_path):
    (tmp_path / 'rank_dump.py').write_text(RANK_DUMP)
    config = tiny_config(
        'fdmae_synthetic.py',
        extra="custom_imports = dict(imports=['fdmae_mm', 'rank_dump'])\n"
        "custom_hooks = [dict(type='EMATeacherHook', momentum=0.5), "
        f"dict(type='RankDump', folder={str(tmp_path)!r})]\n",
    )
    options = ['train_cfg.max_epochs=2', 'train_dataloader.batch_size=4']
    done = run(
        'dist_train.sh', config, 2, '--cfg-options', *options, path=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    a, b = (torch.load(tmp_path / f'rank{rank}.pth') for rank in (0, 1))
    assert set(a['names']).isdisjoint(b['names'])  # so agreement is not by chance
    assert a['gradients'].abs().sum() > 0
    assert torch.equal(a['gradients'], b['gradients'])
    for name, value in a['state'].items():
        assert torch.equal(value, b['state'][name]), name
    state = a['state']
    assert state['heads.frequency.criteria.32.power'].item() > 0
    online = state['backbone.patch_embed.weight']
    assert not torch.equal(state['teacher.backbone.patch_embed.weight'], online)

    knn = tiny_config('benchmarks/knn/knn_synthetic.py', 'knn')
    weights = tmp_path / 'tiny' / 'epoch_2.pth'
    done = run('dist_test.sh', knn, weights, 2)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'acc/top1' in done.stdout + done.stderr


def test_statistics_of_batch_norm_are_those_of_all_processes(tiny_config, tmp_path):
    (tmp_path / 'rank_dump.py').write_text(RANK_DUMP)
    config = tiny_config(
        'benchmarks/linear/linear_synthetic.py',
        extra="custom_imports = dict(imports=['fdmae_mm', 'rank_dump'])\n"
        f"custom_hooks = [dict(type='RankDump', folder={str(tmp_path)!r})]\n",
    )
    options = [
        'model.backbone.init_cfg=None',
        'model.backbone.frozen_stages=1',
        'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=4',
    ]
    done = run(
        'dist_train.sh', config, 2, '--cfg-options', *options, path=str(tmp_path)
    )
    assert done.returncode == 0, done.stderr[-2000:]
    a, b = (torch.load(tmp_path / f'rank{rank}.pth') for rank in (0, 1))
    assert set(a['names']).isdisjoint(b['names'])
    name = 'cls_head.norm.running_var'
    assert torch.equal(a['state'][name], b['state'][name])


SCRIPTS = ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh']


@pytest.mark.parametrize('script', SCRIPTS)
@pytest.mark.parametrize('path', ['', '/mine'])
def test_modules_are_searched_in_no_folder_that_was_not_named(
    script, path, tmp_path, monkeypatch
):
    for name in 'python', 'srun':
        (tmp_path / name).write_text('#!/bin/sh\necho "$PYTHONPATH"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(sys, 'executable', str(tmp_path / 'python'))
    done = run(script, 'a', 'b', 'c', 'd', path=path)
    # An empty entry would be the current folder.
    assert done.stdout.strip().split(':') == [f'{TOOLS}/..', *filter(None, [path])]


@pytest.mark.parametrize('script', SCRIPTS)
def test_usage_is_printed(script):
    done = run(script, 'only-one-argument')
    assert done.returncode == 2
    assert done.stderr.startswith('usage: ')
