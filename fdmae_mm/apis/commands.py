"""The command line: train and test as in OpenMMLab, and probe."""

import argparse
import contextlib
import copy
import json
import logging
import math
import os
import re
import sys
import time
from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path

from mmaction.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.evaluator import DumpResults, Evaluator
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, find_latest_checkpoint, set_random_seed
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..datasets.annotation import clip_name
from ..datasets.skeleton_dataset import (
    SkeletonDataset,
    parts_of,
    refuse_known_clips,
    refuse_other_classes,
    shared_clips,
    unrepeated,
)
from ..engine.hooks.ema_teacher_hook import unwrap
from ..engine.hooks.loaded_weights_hook import initializers, refuse_other_encoder
from ..evaluation import (
    Scores,
    check_few_shot,
    extract_features,
    extract_joints,
    extract_views,
    few_shot_accuracy,
    hold_out_groups,
    probe_features,
    probe_joints,
    write_scores,
)
from ..evaluation.records import make_record, write_record
from ..files import bare_name, check_writable, held
from .loading import find_config, override, read_weights, seed_of
from .options import ConfigOptions, command_parser

#: What the probe takes in place of a checkpoint.
REFERENCES = ('untrained', 'joints')
# Of each training clip, unless a probe is told otherwise.
_VIEWS = 10


def train(argv: Sequence[str] | None = None) -> None:
    """Train what a config describes; see ``tools/train.py --help``."""
    parser = _parser(
        'Pre-train, probe or fine-tune a model by its config.',
        '%(prog)s fdmae_nw-ucla_small',
        '%(prog)s finetune_nw-ucla_small --cfg-options \\\n'
        '    model.backbone.init_cfg.checkpoint=CHECKPOINT',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint, or from the last one of the work directory',
    )
    parser.add_argument(
        '--amp', action='store_true', help='mixed precision, bfloat16 by default'
    )
    parser.add_argument(
        '--no-validate', action='store_true', help='do not evaluate while training'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by actual over base batch size',
    )
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--dump', help='write the predictions of the last evaluation to this .pkl file'
    )
    args = parser.parse_args(argv)
    if args.no_validate and args.dump:
        parser.error('--dump is of the evaluation that --no-validate leaves out')
    cfg = _load_config(args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if cfg.get('train_cfg') is None:
        raise ValueError(
            f'{args.config} trains nothing: it has no train_cfg. Test a checkpoint '
            f'with it: fdmae test {args.config} CHECKPOINT.'
        )
    if args.auto_scale_lr:
        if cfg.get('auto_scale_lr') is None:
            raise ValueError(
                f'--auto-scale-lr: {args.config} does not say for how many clips a '
                'step its learning rate is: auto_scale_lr=dict(base_batch_size=...).'
            )
        cfg.auto_scale_lr.enable = True
    if args.seed is not None:
        cfg.randomness.seed = args.seed
    options = args.cfg_options or {}
    override(cfg, options)
    if args.amp:
        enable_amp(cfg)  # after the options, which may name another dtype
    if args.dump:
        _check_dump(cfg, 'val_evaluator', args.dump)
    if (cfg.get('randomness') or {}).get('deterministic'):
        # Older torch asks for it, at the first product of matrices on a GPU.
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    # One process of a run keeps the folder for all of them.
    ranks = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    rank = next(filter(None, map(os.environ.get, ranks)), '0')
    first = args.launcher == 'none' or rank == '0'
    with held(cfg.work_dir) if first else contextlib.nullcontext():
        _train(cfg, args, options)


def _train(cfg: Config, args: argparse.Namespace, options: dict) -> None:
    weights = None
    if args.resume:
        named = None if args.resume == 'auto' else args.resume
        seed = options.get('randomness.seed', args.seed)
        last, weights = _resume(named, cfg.work_dir, seed)
        cfg.resume = weights is not None
        if cfg.resume:
            cfg.load_from = last
    if weights is None:
        _check_readable(cfg.get('load_from'))
    for init in initializers(cfg.model.get('backbone', {}).get('init_cfg')):
        _check_readable(init.get('checkpoint'))
    runner = Runner.from_cfg(cfg)
    _check_run(runner)
    if args.dump:
        _dump(runner.val_evaluator, args.dump)
    if weights is not None:
        _check_weights(unwrap(runner), weights, cfg.load_from)
    try:
        runner.train()
    except Exception:
        _log_end(runner.logger)
        raise


def _log_end(logger: logging.Logger) -> None:
    """Write the error that ends a run into its log; the terminal shows it by itself."""
    error = logger.makeRecord(
        logger.name,
        logging.ERROR,
        __file__,
        0,
        'The run ended here:',
        (),
        sys.exc_info(),
    )
    for handler in logger.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(error)


def _check_readable(checkpoint: str | None) -> None:
    """Refuse a damaged checkpoint with its name, which torch does not tell."""
    if checkpoint:
        read_weights(checkpoint)


def _check_run(runner: Runner) -> None:
    """Refuse what MMEngine would train all the same, and warn of what is doubtful."""
    if runner.cfg.get('protocol') == 'linear':
        _check_frozen(unwrap(runner))
    loader = runner.train_dataloader
    _check_batches(runner, loader)
    if runner.val_loop is not None:
        refuse_other_classes(loader.dataset, runner.val_dataloader.dataset)
        if known := shared_clips(loader.dataset, runner.val_dataloader.dataset):
            print_log(known, logger='current', level=logging.WARNING)
    _check_schedule(runner, loader)


def _check_frozen(model: nn.Module) -> None:
    """Refuse an encoder that would move under a linear probe."""
    weights = model.backbone.named_parameters()
    if moving := [name for name, weight in weights if weight.requires_grad]:
        raise ValueError(
            f"protocol='linear' is of a frozen encoder, and {len(moving)} weights of "
            f'the backbone would be trained, the first is {moving[0]}. Freeze them: '
            'frozen_stages of SkeletonTransformer, requires_grad_(False) in a backbone '
            'of your own.'
        )
    kinds = nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd
    model.train()
    modules = model.backbone.named_modules()
    if moving := [n for n, m in modules if isinstance(m, kinds) and m.training]:
        raise ValueError(
            f"protocol='linear' is of a frozen encoder, and {len(moving)} norms and "
            f'dropouts are in training mode, the first is {moving[0]}: features and '
            'statistics would move. Keep a frozen backbone in eval mode: def '
            'train(self, mode=True): return super().train(mode and not self.frozen).'
        )


def _check_schedule(runner: Runner, loader: DataLoader) -> None:
    """Warn of a learning rate of another batch size, or one that barely warms up."""
    scaling = runner.cfg.get('auto_scale_lr') or {}
    # A batch sampler of one's own has no one size.
    clips = (loader.batch_size or 0) * get_world_size()
    base = scaling.get('base_batch_size')
    if clips and base and clips != base and not scaling.get('enable'):
        print_log(
            f'{clips} clips a step, and the learning rate is that of {base}: '
            '--auto-scale-lr adapts it.',
            logger='current',
            level=logging.WARNING,
        )
    steps = len(loader) * runner.cfg.train_cfg.get('max_epochs', 0)
    schedulers = runner.cfg.get('param_scheduler') or []
    if isinstance(schedulers, dict):  # one, or those of several optimizers
        schedulers = [schedulers] if 'type' in schedulers else []
    for scheduler in schedulers:
        warmup = scheduler.get('end', 0)
        if scheduler.get('by_epoch', True) or bare_name(scheduler.type) != 'LinearLR':
            continue
        if steps and 2 * warmup > steps:
            print_log(
                f'The learning rate warms up for {warmup} of {steps} steps. Train '
                'longer: times of RepeatDataset or max_epochs, or shorten the warm-up, '
                'end of LinearLR in param_scheduler.',
                logger='current',
                level=logging.WARNING,
            )


def _check_batches(runner: Runner, loader: DataLoader) -> None:
    """Refuse no batch, and one of a clip, at which batch norm would end the run."""
    if not len(loader):
        raise ValueError(
            f'train_dataloader: {len(loader.dataset)} clips are no batch of '
            f'{loader.batch_size} on each of {get_world_size()} processes, and '
            'drop_last leaves the rest out. Lower train_dataloader.batch_size, or '
            'repeat the clips: times of RepeatDataset.'
        )
    norms = [
        name
        for name, module in unwrap(runner).named_modules()
        if 'cls_head' in name and isinstance(module, nn.BatchNorm1d)
    ]
    if not (norms and loader.batch_size):
        return
    clips = math.ceil(len(loader.dataset) / get_world_size())
    rest = 0 if loader.drop_last else clips % loader.batch_size
    if 1 in (loader.batch_size, rest):
        raise ValueError(
            f'train_dataloader: of {clips} clips in batches of {loader.batch_size} a '
            f'batch has one clip alone, of which {norms[0]} has no variance. Set '
            'drop_last=True, or another batch_size.'
        )


def numbered_checkpoints(work_dir: str | os.PathLike) -> list[Path]:
    """Checkpoints of epochs or iterations in a folder, the latest first.

    By their numbers: copies and restored files have other times.
    """
    numbers = {
        path: int(match[1])
        for path in Path(work_dir).glob('*.pth')
        if (match := re.fullmatch(r'(?:epoch|iter)_(\d+)', path.stem))
    }
    return sorted(numbers, key=numbers.__getitem__, reverse=True)


def _last_readable(work_dir: str) -> tuple[str | None, dict | None]:
    """Path and content of the last checkpoint of a run; None if there is none.

    A run that was killed, or whose disk was full, can leave a damaged checkpoint, or
    an empty file in place of the one that names the last.

    Raises:
        FileNotFoundError: The last is not where it was, and the folder has no other.
        ValueError: There are checkpoints, and all are damaged.
    """
    last = find_latest_checkpoint(work_dir)
    # It is named by the path that it had before its folder was moved or copied.
    saved = [Path(work_dir, Path(last).name)] if last else []
    saved += numbered_checkpoints(work_dir)
    found = [str(path) for path in dict.fromkeys(saved) if path.is_file()]
    if not found and last:  # elsewhere, by out_dir of the hook
        found = [last]
    for path in found:
        try:
            return path, read_weights(path)
        except ValueError as error:
            print_log(f'--resume: {error}', logger='current', level=logging.WARNING)
    if found:
        raise ValueError(
            f'--resume: none of {len(found)} checkpoints in {work_dir} can be read. '
            'Delete them to begin anew.'
        )
    return None, None


def _resume(
    path: str | None, work_dir: str, seed: int | None
) -> tuple[str | None, dict[str, Tensor] | None]:
    """Path and weights of the checkpoint to go on from; None where a run begins anew.

    It refuses what training cannot go on from, or not with the seed that is asked for:
    MMEngine would take the seed of the checkpoint, and two runs would be one.
    """
    if path is None:
        path, checkpoint = _last_readable(work_dir)
    else:
        checkpoint = read_weights(path)
    if checkpoint is None:
        return None, None
    if lacks := {'meta', 'message_hub', 'optimizer'} - checkpoint.keys():
        raise ValueError(
            f'--resume: {path} lacks {", ".join(sorted(lacks))}, so training cannot go '
            f'on from it. To start a run with its weights: --cfg-options '
            f'load_from={path}, without --resume.'
        )
    trained = checkpoint['meta'].get('seed')
    if seed is not None and trained not in (None, seed):
        raise ValueError(
            f'--resume: {path} was trained with seed {trained} and goes on with it. '
            f'For seed {seed} take another --work-dir.'
        )
    return path, checkpoint['state_dict']


def _check_weights(model: nn.Module, weights: dict[str, Tensor], path: str) -> None:
    """Refuse to go on with another model.

    MMEngine would leave out what does not fit, and the optimizer's state would go to
    other weights.
    """
    own = {name: value.shape for name, value in model.state_dict().items()}
    there = {name: value.shape for name, value in weights.items()}
    differing = sorted(
        name for name in own.keys() | there.keys() if own.get(name) != there.get(name)
    )
    if differing:
        name = differing[0]
        raise ValueError(
            f'--resume: {path} is of another model: {len(differing)} weights differ, '
            f'the first, {name}, is {tuple(there[name]) if name in there else None} '
            f'there and {tuple(own[name]) if name in own else None} in the config. '
            'Resume with the config of the run, or start another --work-dir.'
        )


def test(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Test a checkpoint; see ``tools/test.py --help``."""
    parser = _parser(
        'Test a checkpoint with a config of configs/benchmarks.',
        '%(prog)s knn_nw-ucla_small PRETRAINED',
        '%(prog)s finetune_nw-ucla_small FINETUNED --dump joint.pkl',
    )
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--dump', help='write the predictions to this .pkl file')
    args = parser.parse_args(argv)
    cfg = _load_config(args)
    cfg.load_from = args.checkpoint
    override(cfg, args.cfg_options)
    if cfg.get('test_dataloader') is None:
        raise ValueError(
            f'{args.config} has no test_dataloader: it is a pre-training config. Test '
            f'the checkpoint with one of configs/benchmarks/{{knn,linear,finetune}}.'
        )
    if args.dump:
        _check_dump(cfg, 'test_evaluator', args.dump)
    _check_readable(cfg.load_from)
    runner = Runner.from_cfg(cfg)
    if args.dump:
        _dump(runner.test_evaluator, args.dump)
    return runner.test()


def _check_dump(cfg: Config, evaluator: str, path: str) -> None:
    """Refuse what :func:`_dump` could not do after the work."""
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--dump {path}: predictions are written to a .pkl file.')
    if cfg.get(evaluator) is None:
        raise ValueError(
            f'--dump {path}: {cfg.filename} has no {evaluator}, so nothing is '
            'predicted.'
        )
    check_writable(path)


def _dump(evaluator: Evaluator, path: str) -> None:
    """Let an evaluator also write the predictions that it is given.

    Not by the config, of which a run leaves a copy: who trains again by that would
    write over the scores of the first run.
    """
    evaluator.metrics.append(DumpResults(path))


def probe(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Probe a pre-trained encoder; see ``tools/probe.py --help``."""
    args = _probe_args(argv)
    begin = time.monotonic()
    without_encoder = args.checkpoint == 'joints'
    checkpoint = None if args.checkpoint in REFERENCES else args.checkpoint
    cfg = _load_config(args)
    override(cfg, args.cfg_options)
    # After the options, which may begin a training with other weights.
    pretrained = cfg.model.backbone.get('init_cfg') or {}
    if 'type' not in pretrained:
        pretrained = dict(type='Pretrained', prefix='backbone.')
    cfg.model.backbone.init_cfg = checkpoint and dict(pretrained, checkpoint=checkpoint)
    if 'bank_dataloader' not in cfg or bare_name(cfg.model.type) != 'RecognizerGCN':
        raise ValueError(f'{args.config} is not a config of configs/benchmarks.')
    if args.views > 1:
        if cfg.get('train_dataloader') is None:
            raise ValueError(
                f'{args.config} has no train_dataloader for --views {args.views}. Take '
                'one of configs/benchmarks/linear, or --views 1.'
            )
        _check_same_labels(cfg)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    seed = seed_of(cfg)
    set_random_seed(seed)
    if without_encoder:
        extract, probed = extract_joints, probe_joints
    else:
        _check_readable(checkpoint)
        model = MODELS.build(cfg.model)
        model.init_weights()
        refuse_other_encoder(model.backbone, cfg.model.backbone.init_cfg)
        model.to(get_device())
        extract = partial(extract_features, model, keep_joints=args.keep_joints)
        probed = probe_features
    loader = Runner.build_dataloader(cfg.bank_dataloader, seed=seed)
    groups = _groups(loader.dataset, args.hold_out) if args.hold_out else None
    bank = extract(loader)
    training = None
    if args.views > 1:
        set_random_seed(seed)
        one_pass = _one_pass(cfg.train_dataloader)
        if args.hold_out:  # clip for clip those of the bank, empty ones too
            for part in parts_of(one_pass.dataset):
                part.test_mode = True
        one_pass = Runner.build_dataloader(one_pass, seed=seed)
        training = extract_views(extract, one_pass, args.views)
        del one_pass  # its clips are those of the bank
    if args.hold_out:
        result = hold_out_groups(bank, groups, training, seed, probed)
    else:
        test_loader = Runner.build_dataloader(cfg.eval_dataloader, seed=seed)
        refuse_known_clips(loader.dataset, test_loader.dataset)
        queries = extract(test_loader)
        result, scores = probed(bank, queries, training, seed)
    if args.few_shot:
        ways, shots = args.few_shot
        name = f'{ways}way_{shots}shot'
        result[name], result[f'{name}_ci95'] = few_shot_accuracy(
            *queries,
            ways,
            shots,
            queries=args.queries,
            classes=args.classes,
            seed=seed,
        )
    result = {name: round(value, 1) for name, value in result.items()}
    print(json.dumps(result), flush=True)  # whatever becomes of the files
    if args.dump:
        clips = test_loader.dataset
        names = [clip_name(clips.get_data_info(index)) for index in range(len(clips))]
        labels = queries[1].cpu().numpy()
        for name, found in scores.items():
            found = Scores(found.cpu().numpy(), labels, names)
            write_scores(found, Path(args.dump, f'{name}.pkl'))
    if args.work_dir:
        cfg.protocol = _probe_protocol(args)
        if args.hold_out:
            cfg.eval_dataloader = cfg.bank_dataloader  # what the record names
        seconds = time.monotonic() - begin
        record = make_record(cfg, result, seconds, checkpoint=checkpoint)
        write_record(record, Path(args.work_dir, 'record.json'))
    return result


def _probe_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line of a probe, without what contradicts itself."""
    parser = _parser(
        'Neighbours, retrieval and linear probe on cached features.',
        '%(prog)s linear_nw-ucla_small CHECKPOINT',
        '%(prog)s linear_nw-ucla_small CHECKPOINT --few-shot 5 1 --classes 5 6 7 8 9',
        '%(prog)s linear_nw-ucla_small CHECKPOINT --hold-out subject',
        '%(prog)s linear_nw-ucla_small joints',
    )
    parser.add_argument(
        'checkpoint',
        help='pre-training checkpoint; or, to stand beside its figures, untrained: an '
        'encoder of random weights, or joints: no encoder, the coordinates themselves '
        '(with a support vector machine, for sets of thousands of clips)',
    )
    parser.add_argument(
        '--views',
        type=int,
        default=_VIEWS,
        help='views of each training clip for the linear probe, 10 by default; more '
        'than 1 are drawn by the pipeline of train_dataloader, 1 is the view of a test',
    )
    parser.add_argument(
        '--keep-joints',
        action='store_true',
        help='do not average features over joints, as the fine-tuning head does not; '
        'takes as many times the memory as there are joints',
    )
    parser.add_argument(
        '--few-shot',
        nargs=2,
        type=int,
        metavar=('WAYS', 'SHOTS'),
        help='also few-shot episodes on the test split',
    )
    parser.add_argument(
        '--classes', nargs='+', type=int, help='labels of --few-shot; default: all'
    )
    parser.add_argument(
        '--queries', type=int, default=15, help='queries a class of --few-shot'
    )
    parser.add_argument(
        '--hold-out',
        metavar='KEY',
        help='choose settings without the test split: each subject (KEY subject, or '
        'another key of the annotations) of the training split is tested against the '
        'others',
    )
    parser.add_argument(
        '--dump',
        metavar='FOLDER',
        help='write the scores behind each accuracy, as 1nn.pkl, linear.pkl ...',
    )
    args = parser.parse_args(argv)
    if args.launcher != 'none':
        parser.error(f'--launcher {args.launcher}: a probe runs in one process')
    if args.views < 1:
        parser.error(f'--views {args.views}: must be at least 1')
    if args.classes and not args.few_shot:
        parser.error('--classes are those of --few-shot, which is not given')
    if args.hold_out and args.few_shot:
        parser.error('--few-shot is of the test split, which --hold-out leaves alone')
    if args.hold_out and args.dump:
        parser.error('--dump is of the test split, which --hold-out leaves alone')
    if args.few_shot:
        try:
            check_few_shot(*args.few_shot, args.queries)
        except ValueError as error:
            parser.error(f'--few-shot: {error}')
    if args.work_dir:
        check_writable(Path(args.work_dir, 'record.json'))
    if args.dump:
        check_writable(Path(args.dump, '1nn.pkl'))
    if args.checkpoint == 'joints' and (args.keep_joints or args.few_shot):
        parser.error('--keep-joints and --few-shot are of an encoder, not of joints')
    return args


def _probe_protocol(args: argparse.Namespace) -> str:
    """What the record of a probe calls it."""
    protocol = 'probe-joints' if args.keep_joints else 'probe'
    if args.checkpoint == 'joints':
        protocol = 'joints'
    if args.views != _VIEWS:
        protocol += f', {args.views} views'
    if args.hold_out:
        protocol += f', {args.hold_out} held out'
    return protocol


def _groups(dataset: SkeletonDataset, key: str) -> list[Hashable]:
    """The value of ``key`` of every clip."""
    groups = [dataset.get_data_info(index).get(key) for index in range(len(dataset))]
    if None in groups:
        raise ValueError(
            f'{dataset.ann_file}, split {dataset.split}: {groups.count(None)} of '
            f'{len(groups)} clips have no {key!r}, which --hold-out {key} asks for. '
            'Name another key of the annotations, or convert the data with it.'
        )
    return groups


def _check_same_labels(cfg: Config) -> None:
    """Refuse neighbours and a linear probe that have different labelled clips."""
    train, bank = (
        unrepeated(cfg[loader].dataset)
        for loader in ('train_dataloader', 'bank_dataloader')
    )
    for key in ('ann_file', 'split', 'classes', 'label_share', 'draw', 'draw_seed'):
        if train.get(key) != bank.get(key):
            raise ValueError(
                f'train_dataloader has {key}={train.get(key)!r}, and bank_dataloader '
                f'{bank.get(key)!r}: the linear probe and the neighbours would have '
                'other labelled clips. Set both alike, or take --views 1.'
            )


def _one_pass(dataloader: ConfigDict) -> ConfigDict:
    """A loader of training, changed to give each clip once, in order."""
    dataloader = copy.deepcopy(dataloader)
    dataloader.dataset = unrepeated(dataloader.dataset)
    dataloader.sampler = dict(type='DefaultSampler', shuffle=False)
    dataloader.drop_last = False
    # MMEngine seeds workers alike in every pass, and all views would be one.
    dataloader.setdefault('worker_init_fn', dict(type='torch_seeded_worker'))
    dataloader.persistent_workers = False
    return dataloader


def _parser(description: str, *examples: str) -> argparse.ArgumentParser:
    parser = command_parser(description, *examples)
    parser.add_argument('config', help='config file, or the name of a shipped one')
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='override settings, for example optim_wrapper.optimizer.lr=1e-4 '
        'key="[(a,b),(c,d)]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes',
    )
    # Launchers before torchrun pass the rank as an argument.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser


def _load_config(args: argparse.Namespace) -> Config:
    # MMEngine reads LOCAL_RANK for the device of a model, and sets it for slurm alone.
    local_rank = os.environ.get('OMPI_COMM_WORLD_LOCAL_RANK', str(args.local_rank))
    os.environ.setdefault('LOCAL_RANK', local_rank)
    cfg = Config.fromfile(find_config(args.config))
    if 'runner_type' in cfg or 'strategy' in cfg:
        raise ValueError(
            f'{args.config} sets runner_type or strategy, and this command takes '
            "MMEngine's Runner alone. Take them out, or run the config by MMAction2's "
            'tools/train.py, which builds what they name.'
        )
    cfg.launcher = args.launcher
    # Not in a config: the --seed of MMAction2's tools would be ignored.
    cfg.randomness = {'seed': 0, **(cfg.get('randomness') or {})}
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    return cfg


def enable_amp(cfg: Config) -> None:
    """Set the optimizer wrapper of mixed precision, bfloat16 where none is named.

    Raises:
        ValueError: The config has an optimizer wrapper of another kind.
    """
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if bare_name(wrapper) not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp does not know optim_wrapper.type={wrapper!r}.')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    if cfg.optim_wrapper.setdefault('dtype', 'bfloat16') == 'bfloat16':
        # bfloat16 has the range of float32: a loss scaler would only cost a
        # synchronisation in every step.
        cfg.optim_wrapper.setdefault('loss_scale', dict(enabled=False))
