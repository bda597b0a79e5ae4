"""Life of a training: the command line on real configs, made tiny."""

import errno
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.registry import HOOKS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from torch.utils.data import DataLoader

from fdmae_mm.apis import commands, train
from fdmae_mm.apis import probe as run_probe
from fdmae_mm.apis import test as run_test
from fdmae_mm.apis.commands import numbered_checkpoints
from fdmae_mm.datasets.annotation import load_annotation, save_annotation
from fdmae_mm.evaluation import read_scores
from fdmae_mm.evaluation.records import read_record
from fdmae_mm.files import held

PRETRAIN = 'fdmae_synthetic.py'
EPOCHS = 'train_cfg.max_epochs={}'.format


@HOOKS.register_module()
class KillAt(Hook):
    """Ends the process, as far as the runner can tell, before an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


@HOOKS.register_module()
class Poison(KillAt):
    """Turns a weight into NaN before an iteration."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            with torch.no_grad():
                runner.model.heads['frequency'].project['8'].bias.fill_(float('nan'))


@HOOKS.register_module()
class FullDisk(Hook):
    """Fails as a hook does that writes to a full disk."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        raise OSError('No space left on device')


def hooks(hook):
    return f'custom_hooks = [*_base_.custom_hooks, {hook}]\n'


def checkpoint(config, epoch):
    # PyTorch's safe default, with the allow-list of compat: nothing else may be inside.
    path = Path(config).with_suffix('') / f'epoch_{epoch}.pth'
    return torch.load(path, weights_only=True)


def scalars(config):
    (log,) = Path(config).with_suffix('').glob('*/vis_data/scalars.json')
    return log.read_text()


def assert_equal(a, b, path=''):
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_equal(a[key], b[key], f'{path}.{key}')
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), path
        for i, pair in enumerate(zip(a, b, strict=True)):
            assert_equal(*pair, f'{path}[{i}]')
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    else:
        assert a == b, path


@pytest.fixture
def pretrained(tiny_config):
    config = tiny_config(PRETRAIN, 'pretrained')
    train([config, '--cfg-options', EPOCHS(1)])
    return str(Path(config).with_suffix('') / 'epoch_1.pth')


@pytest.mark.parametrize('workers', [0, 1])
def test_a_killed_run_is_resumed_bit_for_bit(tiny_config, workers):
    options = ['--cfg-options', EPOCHS(3), f'train_dataloader.num_workers={workers}']
    whole = tiny_config(PRETRAIN, 'whole')
    train([whole, *options])
    killed = tiny_config(PRETRAIN, 'killed', hooks("dict(type='KillAt', iteration=3)"))
    with pytest.raises(KeyboardInterrupt):
        train([killed, *options])
    Path(killed).write_text(
        Path(killed).read_text().replace('iteration=3', 'iteration=-1')
    )
    train([killed, *options, '--resume'])
    a, b = checkpoint(whole, 3), checkpoint(killed, 3)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(a[part], b[part], part)
    # The test can only see a difference if something moves.
    names = set(a['state_dict'])
    assert any('teacher' in n for n in names) and any(
        n.endswith('.power') for n in names
    )
    assert not torch.equal(
        a['state_dict']['heads.frequency.criteria.8.power'],
        checkpoint(whole, 2)['state_dict']['heads.frequency.criteria.8.power'],
    )


def test_a_run_goes_on_from_the_last_checkpoint_that_can_be_read(
    tiny_config, tmp_path, capfd
):
    """A kill or a full disk left others, and a folder may have been copied since."""
    config = tiny_config(PRETRAIN)
    first = Path(config).with_suffix('')
    train([config, '--cfg-options', EPOCHS(2)])
    shutil.copytree(first, tmp_path / 'copy')
    whole = checkpoint(config, 2)['state_dict']
    shutil.rmtree(first)

    def resumed_from(*options):
        capfd.readouterr()
        train([config, '--resume', *options])
        return re.findall(r'resumed epoch: (\d+)', ''.join(capfd.readouterr()))

    line = ['--work-dir', str(tmp_path / 'copy'), '--cfg-options', EPOCHS(2)]
    assert resumed_from(*line) == ['2']
    last = tmp_path / 'copy' / 'epoch_2.pth'
    last.write_bytes(last.read_bytes()[:1000])
    assert resumed_from(*line) == ['1']
    assert_equal(torch.load(last)['state_dict'], whole, 'state_dict')
    (tmp_path / 'copy' / 'last_checkpoint').write_text('')
    assert resumed_from(*line) == ['2']
    for path in (tmp_path / 'copy').glob('*.pth'):
        path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'none of 2 checkpoints in .*copy can be'):
        train([config, '--resume', *line])
    # One that names no checkpoint here must not begin anew without a word.
    for path in (tmp_path / 'copy').glob('*.pth'):
        path.unlink()
    (tmp_path / 'copy' / 'last_checkpoint').write_text(str(first / 'epoch_2.pth'))
    with pytest.raises(FileNotFoundError, match=r'tiny/epoch_2\.pth'):
        train([config, '--resume', *line])


def test_checkpoints_are_ordered_by_number(tmp_path):
    """Copies and restored files have other times than their order."""
    for time, name in enumerate(['epoch_10', 'epoch_9', 'epoch_2', 'best', 'epoch_x']):
        path = tmp_path / f'{name}.pth'
        path.touch()
        os.utime(path, (time, time))
    found = [path.stem for path in numbered_checkpoints(tmp_path)]
    assert found == ['epoch_10', 'epoch_9', 'epoch_2']


def test_a_run_killed_while_it_writes_has_a_checkpoint(tiny_config, monkeypatch):
    """Though it keeps one alone, and the new one is half-written."""
    config = tiny_config(PRETRAIN)
    options = ['--cfg-options', EPOCHS(3), 'default_hooks.checkpoint.max_keep_ckpts=1']
    put = LocalBackend.put

    def put_half(self, content, path):
        if str(path).endswith('epoch_2.pth'):
            put(self, content[:1000], path)
            raise OSError(errno.ENOSPC, 'No space left on device')
        put(self, content, path)

    with monkeypatch.context() as patch:
        patch.setattr(LocalBackend, 'put', put_half)
        with pytest.raises(OSError, match=r"No space left on device: '.*/tiny/'"):
            train([config, *options])
    folder = Path(config).with_suffix('')
    assert sorted(p.name for p in folder.glob('*.pth')) == [
        'epoch_1.pth',
        'epoch_2.pth',
    ]
    train([config, '--resume', *options])
    assert [p.name for p in folder.glob('*.pth')] == ['epoch_3.pth']


def test_two_runs_do_not_share_a_folder(tiny_config, tmp_path):
    """Their logs and checkpoints would be mixed, and one result be lost."""
    config = tiny_config(PRETRAIN)
    with held(tmp_path / 'run'):
        with pytest.raises(OSError, match=r'run is in use, by another run'):
            train([config, '--work-dir', str(tmp_path / 'run')])
    assert not list((tmp_path / 'run').glob('*.py'))


def test_the_log_tells_what_ended_a_run(tiny_config):
    """Whoever reads it weeks later has no terminal."""
    config = tiny_config(PRETRAIN, extra=hooks("dict(type='FullDisk')"))
    with pytest.raises(OSError, match='No space left'):
        train([config, '--cfg-options', EPOCHS(1)])
    (log,) = Path(config).with_suffix('').glob('*/*.log')
    assert 'The run ended here:\nTraceback' in log.read_text()
    assert log.read_text().endswith('OSError: No space left on device\n')


@pytest.mark.parametrize('base', [8, 16])
def test_a_learning_rate_of_another_batch_is_told(tiny_config, capfd, base):
    options = [EPOCHS(1), f'auto_scale_lr.base_batch_size={base}']
    train([tiny_config(PRETRAIN), '--cfg-options', *options])
    said = '8 clips a step, and the learning rate is that of 16: --auto-scale-lr'
    assert (said in ''.join(capfd.readouterr())) == (base == 16)


def test_a_resumed_run_without_checkpoints_starts_with_its_weights(
    tiny_config, pretrained, tmp_path
):
    """As a grid does, which always resumes."""
    rest = ['--cfg-options', EPOCHS(1), 'optim_wrapper.optimizer.lr=0']
    config = tiny_config(PRETRAIN, extra=f'load_from = {pretrained!r}\n')
    train([config, '--resume', *rest])
    given = torch.load(pretrained)['state_dict']['backbone.joint_table']
    assert torch.equal(
        checkpoint(config, 1)['state_dict']['backbone.joint_table'], given
    )
    assert read_record(Path(config).with_suffix('') / 'record.json')['start']
    # Once it has a checkpoint it goes on with that.
    own = Path(config).with_suffix('') / 'epoch_1.pth'
    content = torch.load(own)
    content['state_dict']['backbone.joint_table'] += 1
    torch.save(content, own)
    train([config, '--resume', *rest[:1], EPOCHS(2), *rest[2:]])
    found = checkpoint(config, 2)['state_dict']['backbone.joint_table']
    assert torch.equal(found, given + 1)


def test_a_run_is_not_resumed_under_another_seed(tiny_config, tmp_path):
    one = 'train_cfg.max_epochs=1'
    work_dir = str(tmp_path / 'run')
    config = tiny_config(PRETRAIN)
    line = [config, '--work-dir', work_dir, '--resume']
    train([*line, '--seed', '3', '--cfg-options', one])
    for other in (
        ['--seed', '4', '--cfg-options', one],
        ['--cfg-options', one, 'randomness.seed=4'],
    ):
        with pytest.raises(
            ValueError, match=r'epoch_1.pth was trained with seed 3 .*4'
        ):
            train([*line, *other])
    train([*line, '--cfg-options', one])  # of the config's seed, 0, nothing was said
    assert read_record(tmp_path / 'run' / 'record.json')['seed'] == 3
    weights = torch.load(tmp_path / 'run' / 'epoch_1.pth')
    torch.save(dict(state_dict=weights['state_dict']), tmp_path / 'weights.pth')
    with pytest.raises(
        ValueError, match=r'weights.pth lacks message_hub, meta, optimizer, .*load_from'
    ):
        train([config, '--resume', str(tmp_path / 'weights.pth')])


def test_a_run_is_not_resumed_with_epochs_of_another_length(tiny_config):
    config = tiny_config(PRETRAIN)
    train([config, '--cfg-options', EPOCHS(1)])
    half = 'train_dataloader.batch_size=4'  # of 8
    with pytest.raises(ValueError, match=r'2 steps in 1 epochs, .* has 4\. Resume'):
        train([config, '--resume', '--cfg-options', EPOCHS(2), half])


def test_a_teacher_that_nobody_moves_is_refused(tiny_config):
    config = tiny_config(PRETRAIN, extra='custom_hooks = []\n')
    with pytest.raises(ValueError, match=r'no EMATeacherHook.*_base_.custom_hooks'):
        train([config, '--cfg-options', EPOCHS(1)])


@pytest.mark.parametrize(
    'line', ["runner_type = 'FlexibleRunner'", "strategy = dict(type='FSDPStrategy')"]
)
def test_another_runner_is_not_left_out_without_a_word(tiny_config, line):
    config = tiny_config(PRETRAIN, extra=line)
    with pytest.raises(ValueError, match='sets runner_type or strategy'):
        train([config, '--cfg-options', EPOCHS(1)])


def test_types_behind_a_scope_and_one_scheduler_are_taken(tiny_config):
    extra = (
        "optim_wrapper = dict(type='mmengine.OptimWrapper')\n"
        "param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', T_max=1)\n"
    )
    train([tiny_config(PRETRAIN, extra=extra), '--amp', '--cfg-options', EPOCHS(1)])


def test_a_run_is_not_resumed_with_another_model(tiny_config):
    config = tiny_config(PRETRAIN)
    train([config, '--cfg-options', EPOCHS(1)])
    edges = 'model.heads.frequency.band_edges=[0,0.125,0.25,0.5]'
    with pytest.raises(ValueError, match=r'epoch_1.pth is of another model.*frequency'):
        train([config, '--resume', '--cfg-options', EPOCHS(2), edges])


def test_the_linear_protocol_asks_for_a_frozen_encoder(tiny_config, tmp_path):
    config = tiny_config('benchmarks/linear/linear_synthetic.py')
    options = ['model.backbone.init_cfg=None', 'model.backbone.frozen_stages=-1']
    with pytest.raises(ValueError, match=r'weights of the backbone would be trained'):
        train([config, '--cfg-options', EPOCHS(1), *options])


@pytest.mark.parametrize('end', [1, 2])
def test_a_run_that_is_half_warm_up_says_so(tiny_config, capfd, end):
    config = tiny_config(PRETRAIN)
    train([config, '--cfg-options', EPOCHS(1), f'param_scheduler.0.end={end}'])
    said = 'warms up for 2 of 2 steps' in ''.join(capfd.readouterr())
    assert said == (end == 2)


def test_an_epoch_without_a_step_is_refused(tiny_config):
    many = 'train_dataloader.batch_size=64'
    with pytest.raises(ValueError, match=r'16 clips are no batch of 64 .*times'):
        train([tiny_config(PRETRAIN), '--cfg-options', EPOCHS(1), many])


def test_epochs_differ_in_crops_and_masks(tiny_config):
    config = tiny_config(
        PRETRAIN, 'still', 'optim_wrapper = dict(optimizer=dict(lr=0.0))\n'
    )
    train([config, '--cfg-options', EPOCHS(2), 'train_dataloader.num_workers=1'])
    lines = scalars(config).splitlines()
    assert len(lines) == 4  # two epochs of two iterations, the same weights throughout
    losses = {line.split('"loss_time": ')[1].split(',')[0] for line in lines}
    assert len(losses) == 4


def test_mixed_precision_trains_saves_and_resumes(tiny_config):
    config = tiny_config(PRETRAIN)
    train([config, '--amp', '--cfg-options', EPOCHS(1)])
    train([config, '--amp', '--resume', '--cfg-options', EPOCHS(2)])
    weights = checkpoint(config, 2)['state_dict']
    assert all(v.isfinite().all() for v in weights.values())
    assert weights['backbone.blocks.0.attn.qkv.weight'].dtype == torch.float32


@pytest.mark.parametrize(
    ('options', 'scaler'),
    [
        ([], dict(enabled=False)),
        (['optim_wrapper.dtype=float16'], None),
        (['optim_wrapper.loss_scale=512.'], 512.0),
    ],
)
def test_half_precision_has_a_loss_scaler(tiny_config, monkeypatch, options, scaler):
    found = []
    built = dict(
        train=lambda: None,
        train_dataloader=DataLoader([0]),
        model=torch.nn.Identity(),
        hooks=[],
        val_loop=None,
    )
    monkeypatch.setattr(
        'fdmae_mm.apis.commands.Runner.from_cfg',
        lambda cfg: (
            found.append(cfg.optim_wrapper) or SimpleNamespace(cfg=cfg, **built)
        ),
    )
    train([tiny_config(PRETRAIN), '--amp', '--cfg-options', EPOCHS(1), *options])
    assert found[0].type == 'AmpOptimWrapper'
    assert found[0].get('loss_scale') == scaler


def test_a_deterministic_run_sets_what_cublas_wants(tiny_config, monkeypatch):
    name = 'CUBLAS_WORKSPACE_CONFIG'
    found = []
    monkeypatch.setenv(name, 'given')  # so that it is restored
    monkeypatch.setattr(
        'fdmae_mm.apis.commands.Runner.from_cfg',
        lambda cfg: found.append(os.environ.get(name)) or 1 / 0,
    )
    for given, deterministic in (('given', True), (None, False), (None, True)):
        if given is None:
            monkeypatch.delenv(name, raising=False)
        options = [f'randomness.deterministic={deterministic}']
        with pytest.raises(ZeroDivisionError):
            train([tiny_config(PRETRAIN), '--cfg-options', *options])
    assert found == ['given', None, ':4096:8']


def test_accumulation_clipping_and_what_the_log_holds(tiny_config):
    backends = [dict(type=f'{name}VisBackend') for name in ('Local', 'Tensorboard')]
    config = tiny_config(PRETRAIN, extra=f'visualizer = dict(vis_backends={backends})')
    options = [
        'optim_wrapper.accumulative_counts=2',
        'optim_wrapper.clip_grad.max_norm=1.',
    ]
    train([config, '--cfg-options', EPOCHS(1), *options])
    logged = scalars(config)
    for name in (
        'loss_time',
        'loss_frequency',
        'loss_momentum',
        'frequency_w32_band0',
        'frequency_w16_band1',
        'frequency_w8_band2',
        'masked_share',
        'grad_norm',
        'teacher_momentum',
    ):
        assert f'"{name}"' in logged, name
    # Two iterations, one optimizer step.
    assert logged.count('"teacher_momentum"') == 1
    assert list(Path(config).with_suffix('').glob('*/vis_data/events.out.tfevents.*'))


def test_learning_rate_scales_with_the_batch(tiny_config):
    config = tiny_config(PRETRAIN, extra='param_scheduler = []\n')
    train([config, '--auto-scale-lr', '--cfg-options', EPOCHS(1)])
    (group, *_) = checkpoint(config, 1)['optimizer']['param_groups']
    cfg = Config.fromfile(config)
    share = 8 / cfg.auto_scale_lr.base_batch_size
    assert group['lr'] == pytest.approx(cfg.optim_wrapper.optimizer.lr * share)


def test_a_nan_stops_the_run_and_the_last_checkpoint_stays(tiny_config):
    config = tiny_config(PRETRAIN, extra=hooks("dict(type='Poison', iteration=3)"))
    with pytest.raises(FloatingPointError) as error:
        train([config, '--cfg-options', EPOCHS(3)])
    message = str(error.value)
    assert 'Iteration 4' in message
    assert 'loss_frequency' in message
    assert 'S001C' in message  # names of the samples
    assert 'epoch_1.pth' in message
    assert not (Path(config).with_suffix('') / 'epoch_2.pth').exists()
    weights = checkpoint(config, 1)['state_dict']
    assert all(v.isfinite().all() for v in weights.values())


def test_seed_and_work_dir_of_the_command_line(tiny_config, tmp_path):
    config = tiny_config(PRETRAIN)
    weights = []
    for seed in ('1', '2', '1'):
        folder = tmp_path / f'run{len(weights)}'
        train(
            [
                config,
                '--seed',
                seed,
                '--work-dir',
                str(folder),
                '--cfg-options',
                EPOCHS(1),
            ]
        )
        weights.append(torch.load(folder / 'epoch_1.pth')['state_dict'])
    assert_equal(weights[0], weights[2])
    assert not torch.equal(*(w['backbone.joint_table'] for w in weights[:2]))


@pytest.mark.parametrize('protocol', ['linear', 'finetune'])
def test_probe_of_pretrained_weights(tiny_config, pretrained, tmp_path, protocol):
    config = tiny_config(f'benchmarks/{protocol}/{protocol}_synthetic.py')
    load = f'model.backbone.init_cfg.checkpoint={pretrained}'
    frozen = 'model.backbone.frozen_stages=1'
    kept = tmp_path / 'kept.pkl'
    train(
        [config, '--dump', str(kept), '--cfg-options', EPOCHS(1), load]
        + [frozen] * (protocol == 'linear')
    )
    trained = checkpoint(config, 1)['state_dict']
    given = torch.load(pretrained)['state_dict']
    same = torch.equal(trained['backbone.joint_table'], given['backbone.joint_table'])
    assert same == (protocol == 'linear')
    dump = tmp_path / 'scores.pkl'
    path = str(Path(config).with_suffix('') / 'epoch_1.pth')
    options = ['--cfg-options', frozen] if protocol == 'linear' else []
    metrics = run_test([config, path, '--dump', str(dump), *options])
    assert 0 <= metrics['acc/top1'] <= 1
    scores, labels, names = read_scores(dump)
    assert len(set(names)) == 16
    # The run left what a test of its last checkpoint gives.
    ours, our_labels, our_names = read_scores(kept)
    assert np.allclose(ours, scores, atol=1e-6)
    assert our_names == names and (our_labels == labels).all()
    # Who trains again by the config that it left does not write over them.
    left = Config.fromfile(Path(config).with_suffix('') / Path(config).name)
    assert left.val_evaluator == Config.fromfile(config).val_evaluator
    work_dir = Path(config).with_suffix('')
    tested = read_record(work_dir / 'test_record.json')
    assert tested['metrics']['top1'] == pytest.approx(100 * metrics['acc/top1'])
    # The test's own start: the probe, which the training run made.
    assert (tested['start']['config'], tested['start']['epochs']) == ('tiny', 1)
    # That of the training run is still there.
    record = read_record(work_dir / 'record.json')
    assert (record['protocol'], record['epochs']) == (protocol, 1)
    assert record['start']['config'] == 'pretrained'


def test_knn_takes_a_pretraining_checkpoint(tiny_config, pretrained):
    config = tiny_config('benchmarks/knn/knn_synthetic.py')
    metrics = run_test([config, pretrained])
    assert 0 <= metrics['acc/top1'] <= 1


def leak(split):
    return f'split {split!r} too, whose labels are given: .*bank_dataloader'


def test_clips_of_the_test_are_no_neighbours(tiny_config, pretrained):
    """They would find themselves, with an accuracy of 100 %."""
    config = tiny_config('benchmarks/knn/knn_synthetic.py')
    mixed = 'test_dataloader.dataset.split=xview_train'
    with pytest.raises(ValueError, match=leak('xview_train')):
        run_test([config, pretrained, '--cfg-options', mixed])
    mixed = 'eval_dataloader.dataset.split=xsub_val'
    with pytest.raises(ValueError, match=leak('xview_train')):
        run_probe([config, pretrained, '--views', '1', '--cfg-options', mixed])


def test_clips_of_the_test_in_training_are_told(tiny_config, pretrained, capfd):
    config = tiny_config('benchmarks/finetune/finetune_synthetic.py')
    load = f'model.backbone.init_cfg.checkpoint={pretrained}'
    for split, told in ('xview_val', False), ('xsub_val', True):
        options = [EPOCHS(1), load, f'val_dataloader.dataset.split={split}']
        train([config, '--cfg-options', *options])
        said = re.search(leak('xview_train'), ''.join(capfd.readouterr()))
        assert bool(said) == told


def test_labels_that_mean_other_classes_are_refused(
    tiny_config, pretrained, synthetic_ann_file, tmp_path
):
    annotation = load_annotation(synthetic_ann_file)
    classes = list(annotation['metainfo']['classes'])
    annotation['metainfo']['classes'] = [classes[1], classes[0], *classes[2:]]
    other = str(tmp_path / 'other.pkl')
    save_annotation(annotation, other)
    config = tiny_config('benchmarks/knn/knn_synthetic.py')
    options = [
        '--views',
        '1',
        '--cfg-options',
        f'eval_dataloader.dataset.ann_file={other}',
    ]
    with pytest.raises(ValueError, match=rf'Label 0 is {classes[0]!r} in .*other\.pkl'):
        run_probe([config, pretrained, *options])


def test_neighbours_and_linear_probe_have_the_same_labels(tiny_config, pretrained):
    config = tiny_config('benchmarks/linear/linear_synthetic.py', extra=BANK)
    few = 'train_dataloader.dataset.dataset.label_share=0.5'
    with pytest.raises(
        ValueError, match=r'has label_share=0\.5, and bank_dataloader N'
    ):
        run_probe([config, pretrained, '--views', '2', '--cfg-options', few])


@MODELS.register_module()
class NormedEncoder(BaseModule):
    """Freezes its weights, as the linear protocol asks for, and maybe its norm."""

    def __init__(self, frozen, init_cfg=None):
        super().__init__(init_cfg)
        self.frozen = frozen
        self.norm = torch.nn.BatchNorm1d(16)
        self.requires_grad_(False)

    def train(self, mode=True):
        return super().train(mode and not self.frozen)


def test_the_linear_protocol_asks_for_norms_that_stand_still(tiny_config):
    config = tiny_config('benchmarks/linear/linear_synthetic.py')
    own = "dict(_delete_=True, type='NormedEncoder', frozen={})"
    path = Path(config)
    text = path.read_text()
    for frozen, error in (False, 'first is norm: features'), (True, 'no batch of 64'):
        path.write_text(f"{text}model['backbone'] = {own.format(frozen)}\n")
        many = 'train_dataloader.batch_size=64'  # ends it before the first step
        with pytest.raises(ValueError, match=error):
            train([config, '--cfg-options', EPOCHS(1), many])


def test_a_head_that_was_never_trained_is_an_error(tiny_config, pretrained):
    config = tiny_config('benchmarks/linear/linear_synthetic.py')
    with pytest.raises(ValueError, match='has no weights for cls_head') as error:
        run_test(
            [config, pretrained, '--cfg-options', 'model.backbone.frozen_stages=1']
        )
    assert 'configs/benchmarks/knn' in str(error.value)


def test_a_pretraining_config_cannot_be_tested(tiny_config, pretrained):
    with pytest.raises(
        ValueError, match='has no test_dataloader: it is a pre-training'
    ):
        run_test([tiny_config(PRETRAIN), pretrained])


def test_predictions_are_dumped_to_a_pickle(tiny_config):
    with pytest.raises(
        ValueError, match=r'scores.csv: predictions are written to a .pkl'
    ):
        run_test(
            [
                tiny_config('benchmarks/knn/knn_synthetic.py'),
                'x',
                '--dump',
                'scores.csv',
            ]
        )


def test_what_a_config_lacks_for_a_training_is_told(tiny_config):
    knn = tiny_config('benchmarks/knn/knn_synthetic.py')
    with pytest.raises(ValueError, match=r'tiny\.py trains nothing: .* fdmae test'):
        train([knn, '--amp'])
    config = tiny_config(PRETRAIN, extra='auto_scale_lr = None\n')
    with pytest.raises(ValueError, match=r'--auto-scale-lr: .*base_batch_size='):
        train([config, '--auto-scale-lr'])


@pytest.mark.parametrize(
    'loader', ['batch_size=1', 'batch_size=5', 'batch_size=3 drop_last=False']
)
def test_a_batch_of_one_clip_is_refused_where_it_has_no_variance(tiny_config, loader):
    config = tiny_config('benchmarks/finetune/finetune_synthetic.py')
    options = [f'train_dataloader.{option}' for option in loader.split()]
    rest = [
        *options,
        'train_dataloader.drop_last=False',
        'model.backbone.init_cfg=None',
    ]
    message = (
        'of 16 clips in batches of . a batch has one clip alone, of which cls_head'
    )
    with pytest.raises(ValueError, match=message):
        train([config, '--cfg-options', *rest])


def test_only_an_evaluation_is_dumped(tiny_config, capsys):
    with pytest.raises(ValueError, match='has no val_evaluator, so nothing is pred'):
        train([tiny_config(PRETRAIN), '--dump', 'scores.pkl'])
    linear = tiny_config('benchmarks/linear/linear_synthetic.py')
    with pytest.raises(SystemExit):
        train([linear, '--no-validate', '--dump', 'scores.pkl'])
    assert '--dump is of the evaluation' in capsys.readouterr().err


def test_a_typo_in_the_config_is_an_error(tiny_config):
    with pytest.raises(TypeError, match='mometum'):
        train([tiny_config(PRETRAIN), '--cfg-options', 'custom_hooks.0.mometum=0.1'])
    option = 'optim_wraper.optimizer.lr=1e-5'
    named = r'optim_wraper\.optimizer\.lr is no setting of .* mean optim_wrapper\?'
    with pytest.raises(ValueError, match=named):
        train([tiny_config(PRETRAIN), '--cfg-options', option])
    knn = tiny_config('benchmarks/knn/knn_synthetic.py')
    for command in (run_test, run_probe):
        with pytest.raises(ValueError, match=named):
            command([knn, 'x.pth', '--cfg-options', option])


def test_a_damaged_checkpoint_is_named(tiny_config, pretrained, tmp_path):
    damaged = tmp_path / 'cut.pth'
    damaged.write_bytes(Path(pretrained).read_bytes()[:1000])
    told = r'cut\.pth was not read, it is damaged'
    knn = tiny_config('benchmarks/knn/knn_synthetic.py')
    finetune = tiny_config('benchmarks/finetune/finetune_synthetic.py')
    initial = 'model.backbone.init_cfg.checkpoint'
    inits = [dict(type='PretrainedSkeleton', checkpoint=str(damaged))]
    several = tiny_config(
        'benchmarks/finetune/finetune_synthetic.py',
        'several',
        extra=f"model['backbone']['init_cfg'] = {inits}\n",
    )
    for run, *line in (
        (run_test, knn, str(damaged)),
        (run_probe, knn, str(damaged), '--views', '1'),
        (train, finetune, '--cfg-options', f'{initial}={damaged}'),
        (train, several, '--cfg-options', f'work_dir={tmp_path}'),
        (
            train,
            finetune,
            '--cfg-options',
            f'{initial}={pretrained}',
            f'load_from={damaged}',
        ),
    ):
        with pytest.raises(ValueError, match=told):
            run(line)


def test_missing_ntu_data_name_their_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Path(__file__).parents[2] / 'configs' / 'fdmae_ntu60.py'
    with pytest.raises(FileNotFoundError, match=r'data/ntu60_3d\.pkl') as error:
        train([str(config), '--work-dir', str(tmp_path / 'work')])
    assert 'mmaction' in str(error.value)


def test_a_set_with_other_joints_is_refused(tiny_config, synthetic_ann_file, tmp_path):
    annotation = load_annotation(synthetic_ann_file)
    for item in annotation['annotations']:
        item['keypoint'] = item['keypoint'][:, :, :20]
    path = tmp_path / 'twenty.pkl'
    save_annotation(annotation, path)
    where = f'train_dataloader.dataset.dataset.ann_file={path}'
    with pytest.raises(ValueError, match='num_joints'):
        train([tiny_config(PRETRAIN), '--cfg-options', where])


def test_probe_reads_the_encoder_of_the_checkpoint(tiny_config, pretrained, capsys):
    config = tiny_config('benchmarks/knn/knn_synthetic.py')
    result = run_probe([config, pretrained, '--views', '1'])
    assert {'1nn', 'linear'} <= set(result)
    # Whatever weights the training began with.
    other = 'model.backbone.init_cfg.checkpoint=start.pth'
    scope = 'model.type=mmaction.RecognizerGCN'  # and in whatever way it is named
    line = [config, pretrained, '--views', '1', '--cfg-options', other, scope]
    assert run_probe(line) == result
    # k-NN through the runner has the same features and the same neighbour.
    metrics = run_test([config, pretrained])
    assert result['1nn'] == pytest.approx(100 * metrics['acc/top1'], abs=0.06)


def test_probe_can_keep_the_joints_apart(tiny_config, pretrained, monkeypatch):
    shapes = []

    def figures(bank, queries, training, seed):
        shapes.extend(x.shape for x in (bank[0], queries[0], training[0]))
        return {}, {}

    monkeypatch.setattr('fdmae_mm.apis.commands.probe_features', figures)
    config = tiny_config('benchmarks/linear/linear_synthetic.py', extra=BANK)
    run_probe([config, pretrained, '--keep-joints', '--views', '2'])
    assert shapes == [(16, 25 * 16), (16, 25 * 16), (2, 16, 25 * 16)]


# What the tiny linear config lacks of its real one, on the tiny set.
BANK = """
model['backbone']['frozen_stages'] = 1
bank_dataloader = dict(num_workers=0, dataset=val_dataloader['dataset'])
eval_dataloader = dict(num_workers=0, dataset=val_dataloader['dataset'])
"""


def test_probe_takes_a_benchmark_config(tiny_config, pretrained):
    with pytest.raises(ValueError, match='is not a config of configs/benchmarks'):
        run_probe([tiny_config(PRETRAIN), pretrained])


def test_probe_keeps_what_a_config_does_with_the_weights(tiny_config, pretrained):
    """A transfer config carries joints over; to the same layout it changes nothing."""
    config = tiny_config('benchmarks/knn/knn_synthetic.py')
    plain = run_probe([config, pretrained, '--views', '1'])
    layouts = "source_layout='nturgb+d', target_layout='nturgb+d'"
    init_cfg = f"dict(type='PretrainedSkeleton', prefix='backbone.', {layouts})"
    extra = f'model["backbone"].update(init_cfg={init_cfg})\n'
    transfer = tiny_config('benchmarks/knn/knn_synthetic.py', 'transfer', extra)
    assert run_probe([transfer, pretrained, '--views', '1']) == plain
    other = tiny_config(
        'benchmarks/knn/knn_synthetic.py',
        'other',
        extra.replace("target_layout='nturgb+d'", "target_layout='sbu'"),
    )
    with pytest.raises(ValueError, match='joint'):
        run_probe([other, pretrained, '--views', '1'])


def test_probe_holds_out_subjects_and_leaves_the_test_split_alone(
    tiny_config, pretrained, tmp_path
):
    config = tiny_config('benchmarks/knn/knn_synthetic.py')
    absent = 'eval_dataloader.dataset.ann_file=/absent.pkl'
    work_dir = tmp_path / 'hold_out'
    command = [config, pretrained, '--views', '1', '--work-dir', str(work_dir)]
    both = [absent, 'bank_dataloader.dataset.indices=120']  # clips of all subjects
    result = run_probe([*command, '--hold-out', 'subject', '--cfg-options', *both])
    assert {'1nn', 'linear'} <= set(result)
    record = read_record(work_dir / 'record.json')
    assert record['protocol'] == 'probe, 1 views, subject held out'
    assert record['split'] == 'xview_train'
    with pytest.raises(ValueError, match="16 of 16 clips have no 'pair'"):
        run_probe([*command, '--hold-out', 'pair'])
    with pytest.raises(FileNotFoundError):
        run_probe([*command, '--cfg-options', absent])


def test_probe_holds_out_clips_of_a_set_with_an_empty_one(
    tiny_config, pretrained, synthetic_ann_file, tmp_path
):
    """The views of training leave it out of themselves, the bank keeps it."""
    annotation = load_annotation(synthetic_ann_file)
    subjects = dict.fromkeys(a['subject'] for a in annotation['annotations'])
    chosen = [
        next(a for a in annotation['annotations'] if a['subject'] == subject)
        for subject in [*subjects][:3]
    ]
    chosen.append(
        dict(chosen[0], frame_dir='empty', keypoint=0 * chosen[0]['keypoint'])
    )
    split = {name: [a['frame_dir'] for a in chosen] for name in annotation['split']}
    path = str(tmp_path / 'empty.pkl')
    save_annotation(dict(annotation, annotations=chosen, split=split), path)
    source = f'dict(ann_file={path!r}, indices=None)'
    config = tiny_config(
        'benchmarks/linear/linear_synthetic.py',
        extra=f"""
model['backbone']['frozen_stages'] = 1
train_dataloader['dataset']['dataset'].update({source})
bank_dataloader = dict(num_workers=0, dataset={source})
eval_dataloader = dict(num_workers=0, dataset={source})
""",
    )
    result = run_probe([config, pretrained, '--views', '2', '--hold-out', 'subject'])
    assert {'1nn', 'linear'} <= set(result)


def test_views_differ_whatever_seeds_the_workers_of_training():
    loader = ConfigDict(dataset=dict(type='RepeatDataset', times=2, dataset=dict(a=1)))
    found = commands._one_pass(loader)
    assert found.dataset == dict(a=1)
    assert found.worker_init_fn == dict(type='torch_seeded_worker')
    assert not found.persistent_workers
    loader.worker_init_fn = dict(type='own')
    assert commands._one_pass(loader).worker_init_fn == dict(type='own')


def test_the_local_rank_of_mpi_names_the_device(monkeypatch):
    """MMEngine places a model by LOCAL_RANK and sets it for slurm alone."""
    args = SimpleNamespace(
        config='fdmae_synthetic', launcher='mpi', work_dir=None, local_rank=0
    )
    for rank in ('0', '1'):
        monkeypatch.delenv('LOCAL_RANK', raising=False)
        monkeypatch.setenv('OMPI_COMM_WORLD_LOCAL_RANK', rank)
        commands._load_config(args)
        assert os.environ['LOCAL_RANK'] == rank
    monkeypatch.delenv('LOCAL_RANK')
