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


def arguments(script, program, folder, monkeypatch, **environment):
    """What a script gives to the program that it starts."""
    words = folder / program
    words.write_text('#!/bin/sh\nprintf "%s\\n" "MASTER_PORT=$MASTER_PORT" "$@"\n')
    words.chmod(0o755)
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')
    names = ('PORT', 'MASTER_PORT', 'NNODES', 'GPUS', 'GPUS_PER_NODE')
    kept = {name: v for name, v in os.environ.items() if name not in names}
    command = ['bash', str(TOOLS / script), 'a', 'b c', 'd', 'e']
    done = subprocess.run(
        command, env=kept | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize('script', SCRIPTS[:2])
def test_two_runs_on_a_machine_have_ports_of_their_own(script, tmp_path, monkeypatch):
    def port(**environment):
        words = arguments(script, 'python', tmp_path, monkeypatch, **environment)
        (found,) = [w for w in words if w.startswith('--master_port=')]
        return found.partition('=')[2]

    assert len({port() for _ in range(5)}) > 1
    assert port(PORT='1234') == '1234'
    assert port(NNODES='2') == '29500'  # all machines of a run need the same


@pytest.mark.parametrize('script', SCRIPTS[2:])
def test_slurm_is_asked_for_the_gpus_that_are_used(script, tmp_path, monkeypatch):
    def words(**environment):
        return arguments(script, 'srun', tmp_path, monkeypatch, **environment)

    four = words(GPUS='4', MASTER_PORT='1234')
    assert {'--gres=gpu:4', '--ntasks=4', '--ntasks-per-node=4', 'b c'} < {
        word.removeprefix('--job-name=') for word in four
    }
    assert four[0] == 'MASTER_PORT=1234'
    assert words(GPUS='4', PORT='5', MASTER_PORT='1234')[0] == 'MASTER_PORT=5'
    assert {'--gres=gpu:8', '--ntasks=16', '--ntasks-per-node=8'} < set(
        words(GPUS='16')
    )


@pytest.mark.parametrize('script', SCRIPTS)
def test_usage_is_printed(script):
    done = run(script, 'only-one-argument')
    assert done.returncode == 2
    assert done.stderr.startswith('usage: ')
