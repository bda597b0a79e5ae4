"""The benchmark times the real work, and its figures add up."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.speed import Script, Setting, benchmark, changed
from fdmae_mm.speed.cost import flop_counter, peak_flops, peak_growth
from fdmae_mm.speed.timing import HostClock, Parts, Spread, interleave
from fdmae_mm.speed.workloads import synthetic_clips

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'analysis' / 'benchmark.py'
main = runpy.run_path(str(TOOL))['main']


class FakeClock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 0.0
        self.waits = 0

    def mark(self):
        return self.now

    def seconds(self, begin, end):
        return end - begin

    def synchronize(self):
        self.waits += 1

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return FakeClock()


def test_time_of_an_inner_part_is_not_the_outer_ones(clock):
    parts = Parts(clock)
    for _ in range(2):
        clock.sleep(100)  # between steps
        with parts.part('step'):
            clock.sleep(1)
            with parts.part('forward'):
                clock.sleep(2)
                with parts.part('attention'):
                    clock.sleep(4)
                clock.sleep(8)
            clock.sleep(16)
            with parts.part('attention'):
                clock.sleep(32)
    assert parts.seconds() == {'step': 34, 'forward': 20, 'attention': 72}
    parts.clear()
    assert parts.seconds() == {}


def test_wrapped_method_of_one_object(clock):
    class Owner:
        def work(self, seconds):
            clock.sleep(seconds)
            if seconds == 3:
                raise ValueError('three')
            return -seconds

    parts, owner = Parts(clock), Owner()
    parts.wrap(owner, 'work', 'work')
    with parts.part('step'):
        assert owner.work(seconds=2) == -2
        with pytest.raises(ValueError, match='three'):
            owner.work(3)
        Owner().work(5)
    assert parts.seconds() == {'work': 5, 'step': 5}


def test_steps_take_turns_and_the_clock_waits_between_them_alone(clock):
    calls = []

    def step(name, seconds):
        def run():
            calls.append((name, clock.waits))
            # The machine becomes slower: all that take turns feel it.
            clock.sleep(seconds * (1 + len(calls) // 8))

        return run

    seconds = interleave([step('a', 1), step('b', 3)], 4, 2, clock)
    assert [name for name, _ in calls] == list('aabbbbaaaabbbbaa')
    # One wait before a turn, none inside, one after.
    assert [waits for _, waits in calls] == [1 + i // 2 * 2 for i in range(16)]
    assert seconds.shape == (2, 4)
    assert seconds[:, 0].tolist() == [1, 3]
    assert Spread.of(seconds[1, 1:] / seconds[0, 1:]).median == pytest.approx(
        3, rel=0.4
    )


def test_quartiles():
    assert Spread.of([5, 1, 2, 4, 3]) == (3, 2, 4)


def test_operations_of_matrix_products_and_attention():
    x = torch.randn(2, 3, 4)
    linear = torch.nn.Linear(4, 5)
    with flop_counter() as counter:
        out = linear(x)
    assert counter.get_total_flops() == 2 * (2 * 3) * 4 * 5
    with flop_counter() as counter:
        out.sum().backward()
    assert counter.get_total_flops() == 2 * (2 * 3) * 4 * 5  # of the weight alone
    # 2 sequences, 3 heads, 7 queries, 11 keys, width 8: scores, then their mean.
    query = torch.randn(2, 3, 7, 8, requires_grad=True)
    key, value = torch.randn(2, 2, 3, 11, 8).requires_grad_()
    with flop_counter() as counter:
        out = F.scaled_dot_product_attention(query, key, value)
    forward = 2 * 2 * (2 * 3) * 7 * 11 * 8
    assert counter.get_total_flops() == forward
    with flop_counter() as counter:
        out.sum().backward()
    assert counter.get_total_flops() == 2 * forward


def test_peak_is_not_known_of_a_cpu():
    assert peak_flops(torch.device('cpu'), 'float32') is None


def test_peak_memory_is_that_of_the_steps(tmp_path):
    script = tmp_path / 'big.py'
    script.write_text(
        'def make_step(batch_size, device):\n'
        '    kept = bytearray(batch_size << 20)\n'
        "    return lambda: len(b'1' * (batch_size << 20)) + len(kept)\n"
    )
    # What one step allocates is freed before the next.
    assert peak_growth(Script('big', script, 300), threads=1) / 2**20 == pytest.approx(
        600, rel=0.1
    )


@pytest.mark.parametrize(
    ('persons', 'second'), [(0, 0), (1 / 6, 16), (0.25, 24), (1, 96)]
)
def test_second_persons_are_spread_evenly(persons, second):
    clips = synthetic_clips(25, 3, persons)
    there = np.array([len(clip['keypoint']) == 2 for clip in clips])
    assert there.sum() == second
    assert (there.reshape(8, 12).sum(1) == second / 8).all()
    assert all(clip['keypoint'].shape[2:] == (25, 3) for clip in clips)


def test_share_of_persons_is_checked():
    with pytest.raises(ValueError, match=r'persons=1\.5 .* from 0 to 1'):
        synthetic_clips(25, 3, 1.5)


PRETRAIN = 'fdmae_synthetic.py'
FINETUNE = 'benchmarks/finetune/finetune_synthetic.py'


def test_training_step(tiny_config, tmp_path, capsys):
    out = tmp_path / 'new' / 'result.json'
    config = tiny_config(PRETRAIN)
    other = tiny_config('mamp_synthetic.py', 'other')
    options = ['--batch-size', '6', '--steps', '4', '--device', 'cpu']
    result = main([config, '--against', other, *options, '--out', str(out)])
    assert json.loads(out.read_text()) == result
    ours, theirs = result['workloads']
    assert set(ours['parts']) == {
        *('data', 'masks', 'encoder', 'decoder', 'momentum path', 'hooks', 'rest'),
        *('targets and losses', 'backward', 'optimizer', 'EMA'),
    }
    assert set(ours['parts']) - set(theirs['parts']) == {'momentum path', 'EMA'}
    for work in (ours, theirs):
        assert min(work['parts'].values()) > 0
        # Time that no part accounts for would hide where a step spends it.
        assert work['parts']['rest'] < 0.3 * work['ms'][0]
        assert sum(work['parts'].values()) == pytest.approx(work['ms'][0])
        median, low, high = work['clips_per_s']
        assert low <= median <= high
        assert work['flop_use'] is work['peak_mb'] is None
    assert ours['speedup'] == [1, 1, 1]
    # Its forward pass is two, a fifth of it the teacher's, which has no gradients: with
    # them the step would take three times the forward pass, as the other's does.
    assert ours['gflops_step'] == pytest.approx(2.6 * ours['gflops_forward'], rel=0.03)
    assert theirs['gflops_step'] == pytest.approx(3 * theirs['gflops_forward'], rel=0.1)
    assert result['persons'] == pytest.approx(1 / 6)
    assert config.removesuffix('.py') in result['command']
    table = capsys.readouterr().out
    assert 'speedup of tiny' in table and 'momentum path' in table


def test_steps_train_the_model_and_move_its_teacher(tiny_config):
    cfg = Config.fromfile(tiny_config(PRETRAIN))
    work = Setting('tiny', cfg, batch_size=6, steps=4).build(HostClock())
    model = work.runner.model
    online = model.backbone.joint_table.detach().clone()
    teacher = dict(model.teacher.named_buffers())['backbone.joint_table'].clone()
    assert torch.equal(online, teacher)
    work.flops()
    assert torch.equal(model.backbone.joint_table, online)
    work.step()
    assert not torch.equal(model.backbone.joint_table, online)
    moved = dict(model.teacher.named_buffers())['backbone.joint_table']
    assert not torch.equal(moved, teacher)
    assert not torch.equal(moved, model.backbone.joint_table)


def test_clips_are_timed_whatever_the_labels_are(tiny_config):
    part = "train_dataloader['dataset']['dataset']"
    extra = f'{part}.update(label_share=0.01, classes=[2, 3])\n'
    cfg = Config.fromfile(tiny_config(PRETRAIN, extra=extra))
    work = Setting('tiny', cfg, batch_size=6).build(HostClock())
    assert len(work.runner.train_loop.next_batch()['inputs']) == 6


def test_joined_sets_are_timed_like_one(tiny_config):
    cfg = Config.fromfile(tiny_config(PRETRAIN))
    one = cfg.train_dataloader.dataset.dataset
    cfg.train_dataloader.dataset = dict(type='ConcatDataset', datasets=[one, one])
    for data in 'own', 'synthetic':
        work = Setting('tiny', cfg, batch_size=6, data=data).build(HostClock())
        work.step()
        assert work.parts.seconds()['masks'] > 0
        Setting('tiny', cfg, what='data', data=data).build(HostClock()).step()


def test_own_clips_are_those_of_the_annotation_file(tiny_config):
    cfg = Config.fromfile(tiny_config(PRETRAIN))
    for data, first in (('own', 'S001'), ('synthetic', 'clip')):
        work = Setting('tiny', cfg, batch_size=6, data=data).build(HostClock())
        batch = work.runner.train_loop.next_batch()
        assert len(batch['inputs']) == 6
        assert all(s.frame_dir.startswith(first) for s in batch['data_samples'])


def test_inference_counts_the_encoder_and_head(tiny_config, capsys):
    config = tiny_config(FINETUNE)
    options = ['--what', 'inference', '--batch-size', '2', '--steps', '2']
    (work,) = main([config, *options, '--device', 'cpu'])['workloads']
    assert 'init_weights' not in capsys.readouterr().out  # a line for each weight
    assert set(work['parts']) == {'data', 'encoder', 'head', 'rest'}
    # 32 / 4 x 25 tokens of one person, width 16, one block; then 400 -> 512 -> 20.
    tokens, dims = 8 * 25, 16
    macs = tokens * (12 * dims + (3 + 1 + 4 + 4) * dims**2) + 2 * tokens**2 * dims
    macs += 25 * dims * 512 + 512 * 20
    assert work['gflops_forward'] == pytest.approx(2 * macs / 1e9)


def test_second_persons_are_in_the_clips_of_an_inference(tiny_config):
    cfg = Config.fromfile(tiny_config(FINETUNE))
    for transform in cfg.eval_dataloader.dataset.pipeline:
        if transform.type == 'FormatGCNInput':
            transform.num_person = 2
    options = dict(batch_size=1, what='inference', persons=0.25)
    work = Setting('tiny', cfg, **options).build(HostClock())
    clips = [next(work._batches)['inputs'][0] for _ in range(96)]
    assert sum(bool(clip[:, 1].any()) for clip in clips) == 24


def test_inference_needs_a_classifier(tiny_config):
    config = tiny_config(PRETRAIN)
    with pytest.raises(ValueError, match='no classifier'):
        main([config, '--what', 'inference', '--batch-size', '2', '--device', 'cpu'])


def test_transforms_one_by_one(tiny_config):
    config = tiny_config(PRETRAIN)
    (work,) = main([config, '--what', 'data', '--steps', '20'])['workloads']
    kinds = [step.type for step in Config.fromfile(config).train_view]
    assert {'read', 'PackActionInputs', *kinds} <= set(work['parts'])
    assert work['clips'] == 1 and work['gflops_step'] is None


def test_code_of_others(tiny_config, tmp_path):
    script = tmp_path / 'theirs.py'
    script.write_text(
        'import time, torch\n'
        'def make_step(batch_size, device):\n'
        '    def step():\n'
        '        time.sleep(0.05)\n'
        '        torch.ones(batch_size, 3) @ torch.ones(3, 4)\n'
        '    return step\n'
    )
    slow, fast = (Script(name, script, size) for name, size in (('a', 1), ('b', 5)))
    first, second = benchmark([slow, fast], rounds=3)['workloads']
    assert first['ms'][0] == pytest.approx(50, rel=0.5)
    assert second['speedup'][0] == pytest.approx(1 / 5, rel=0.5)
    assert second['gflops_step'] == pytest.approx(2 * 3 * 4 / 1e9)
    assert second['gflops_forward'] is None
    script.write_text('')
    with pytest.raises(ValueError, match=r'theirs\.py has no make_step'):
        benchmark([slow])


def test_code_of_others_runs_in_the_precision_that_is_printed(tmp_path):
    script = tmp_path / 'theirs.py'
    script.write_text(
        'import torch\n'
        'def make_step(batch_size, device):\n'
        '    def step():\n'
        '        kinds.add((torch.ones(2, 3) @ torch.ones(3, 4)).dtype)\n'
        '    step.kinds = kinds = set()\n'
        '    return step\n'
    )
    for amp, dtype in ((False, torch.float32), (True, torch.bfloat16)):
        work = Script('theirs', script, 2, amp=amp).build(HostClock())
        work.step()
        work.flops()
        assert work._step.kinds == {dtype}


@pytest.fixture
def setting(tiny_config):
    return Setting('tiny', Config.fromfile(tiny_config(PRETRAIN)), batch_size=2)


@pytest.mark.parametrize(
    ('quantity', 'value', 'shape'),
    [('T', 64, (64, 25)), ('V', 9, (32, 9)), ('V', 40, (32, 40))],
)
def test_sweep_changes_model_and_data_alike(setting, quantity, value, shape):
    work = changed(setting, quantity, value).build(HostClock())
    work.step()
    clips = work.runner.train_loop.next_batch()['inputs']
    assert clips[0].shape == (1, 2, *shape, 3)
    assert setting.cfg.model.backbone.get('clip_len') == 32


def test_sweep_of_a_number(setting):
    assert changed(setting, 'batch', 8).batch_size == 8
    assert changed(setting, 'persons', 0.5).persons == 0.5
    deeper = changed(setting, 'depth', 3)
    assert (deeper.name, deeper.cfg.model.backbone.depth) == ('depth 3', 3)


def test_sweep_that_cannot_be(setting):
    with pytest.raises(ValueError, match=r'window of 32 frames .* clip_len=48'):
        changed(setting, 'T', 48).build(HostClock())
    with pytest.raises(ValueError, match='V 3: the least is 7'):
        changed(setting, 'V', 3)
    with pytest.raises(ValueError, match=r'batch 2\.5: .* whole number'):
        changed(setting, 'batch', 2.5)
    own = Setting('own', setting.cfg, data='own')
    with pytest.raises(ValueError, match='persons can be swept with synthetic clips'):
        changed(own, 'persons', 0.5)
    mapping = dict(type='MapSkeleton', source='nturgb+d', target=get_layout('coco'))
    setting.cfg.train_dataloader.dataset.dataset.pipeline.insert(0, mapping)
    with pytest.raises(ValueError, match=r'MapSkeleton .* knows its joints'):
        changed(setting, 'V', 30)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--sweep', 'batch', '1', '--against', 'b'], 'leave --against out'),
        (['--sweep', 'width', '1'], '--sweep takes one of T, V'),
        (['--sweep', 'T'], '--sweep takes one of T, V'),
        (['--against-options', 'a=1'], '--against, which is not given'),
        (['--batch-size', '0'], '--batch-size 0: must be at least 1'),
    ],
)
def test_options(options, message, capsys):
    with pytest.raises(SystemExit):
        main(['fdmae_synthetic', *options])
    assert message in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
def test_parts_on_a_gpu_add_up_to_the_wall_time(setting):
    setting = Setting('gpu', setting.cfg, batch_size=8, device='cuda', steps=64)
    (work,) = benchmark([setting], rounds=4, block=4)['workloads']
    assert work['peak_mb'] > 0 and 'momentum path' in work['parts']


def test_bfloat16_on_a_cpu_needs_the_gpu_hidden(monkeypatch, capsys):
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    with pytest.raises(SystemExit):
        main(['fdmae_synthetic', '--device', 'cpu', '--amp'])
    assert 'CUDA_VISIBLE_DEVICES=-1' in capsys.readouterr().err
