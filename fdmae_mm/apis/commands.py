"""The command line: train and test as in OpenMMLab, and probe."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from mmaction.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from ..evaluation import probe_encoder


def train(argv: Sequence[str] | None = None) -> None:
    """Train what a config describes; see ``tools/train.py --help``."""
    parser = _parser('Pre-train, probe or fine-tune a model by its config.')
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
    args = parser.parse_args(argv)
    cfg = _load_config(args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        _enable_amp(cfg)
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    if args.seed is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=args.seed)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    Runner.from_cfg(cfg).train()


def test(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Test a checkpoint; see ``tools/test.py --help``."""
    parser = _parser('Test a checkpoint with a config of configs/benchmarks.')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--dump', help='write the predictions to this .pkl file')
    args = parser.parse_args(argv)
    cfg = _load_config(args)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if cfg.get('test_dataloader') is None:
        raise ValueError(
            f'{args.config} has no test_dataloader: it is a pre-training config. Test '
            f'the checkpoint with one of configs/benchmarks/{{knn,linear,finetune}}.'
        )
    if args.dump:
        if not args.dump.endswith(('.pkl', '.pickle')):
            raise ValueError(
                f'--dump {args.dump}: predictions are written to a .pkl file.'
            )
        evaluator = cfg.test_evaluator
        evaluator = (
            list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator]
        )
        dump = dict(type='DumpResults', out_file_path=args.dump)
        cfg.test_evaluator = [*evaluator, dump]
    cfg.load_from = args.checkpoint
    return Runner.from_cfg(cfg).test()


def probe(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Probe a pre-trained encoder in seconds; see ``tools/probe.py --help``."""
    parser = _parser('1-NN and linear probe on features that are computed once.')
    parser.add_argument('checkpoint', help='pre-training checkpoint')
    args = parser.parse_args(argv)
    cfg = _load_config(args)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    if 'bank_dataloader' not in cfg or cfg.model.type != 'RecognizerGCN':
        raise ValueError(f'{args.config} is not a config of configs/benchmarks.')
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=args.checkpoint, prefix='backbone.'
    )
    model = MODELS.build(cfg.model)
    model.init_weights()
    loaders = (
        Runner.build_dataloader(cfg[name], seed=cfg.randomness.seed)
        for name in ('bank_dataloader', 'eval_dataloader')
    )
    accuracies = probe_encoder(model, *loaders, cfg.randomness.seed)
    result = {name: round(value, 1) for name, value in accuracies.items()}
    print(json.dumps(result))
    return result


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
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
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', Path(args.config).stem))
    return cfg


def _enable_amp(cfg: Config) -> None:
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp does not know optim_wrapper.type={wrapper!r}.')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    if cfg.optim_wrapper.setdefault('dtype', 'bfloat16') == 'bfloat16':
        # bfloat16 has the range of float32: a loss scaler would only cost a
        # synchronisation in every step.
        cfg.optim_wrapper.setdefault('loss_scale', dict(enabled=False))
