"""Every config of the tree is built and makes one step."""

import itertools
import math
import re
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from fdmae_mm.datasets.annotation import save_annotation
from fdmae_mm.datasets.layouts import get_layout
from fdmae_mm.datasets.skeleton_dataset import unrepeated

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(
    str(p.relative_to(CONFIGS))
    for p in CONFIGS.rglob('*.py')
    if '_base_' not in p.parts
)


def test_the_seed_is_left_to_the_command():
    """MMAction2's train.py ignores its --seed where a config has ``randomness``."""
    assert 'randomness' not in Config.fromfile(CONFIGS / '_base_/default_runtime.py')


def annotation_of(num_joints, num_classes, splits):
    """Two clips in each split, that satisfy a config's data set."""
    generator = torch.Generator().manual_seed(0)
    annotations, split = [], {name: [] for name in sorted(splits)}
    for name, i in itertools.product(split, range(2)):
        steps = torch.randn(1 + i % 2, 20, num_joints, 3, generator=generator)
        keypoint = steps.mul(0.02).cumsum(1) + torch.randn(
            num_joints, 3, generator=generator
        )
        annotations.append(
            dict(
                frame_dir=f'{name}{i}',
                label=i % num_classes,
                keypoint=keypoint.numpy(),
                total_frames=20,
            )
        )
        split[name].append(f'{name}{i}')
    return dict(split=split, annotations=annotations)


def datasets_of(cfg):
    for key, value in cfg.items():
        if isinstance(value, dict) and key.endswith('_dataloader'):
            dataset = value.dataset
            yield value, unrepeated(dataset)
    for hook in cfg.get('custom_hooks') or []:
        if 'dataloader' in hook:
            yield hook.dataloader, hook.dataloader.dataset


def small(cfg, tmp_path):
    """The same config on two clips, without pre-trained weights, for one step."""
    ann_file = str(tmp_path / 'clips.pkl')
    splits = set()
    for loader, dataset in datasets_of(cfg):
        loader.update(batch_size=2, num_workers=0)
        if 'times' in loader.dataset:
            loader.dataset.times = 1
        dataset.ann_file = ann_file
        dataset.pop('classes', None)  # two clips do not have them all
        dataset.pop('label_share', None)
        splits.add(dataset.split)
    joints = cfg.get('num_joints', 25)
    save_annotation(annotation_of(joints, cfg.num_classes, splits), ann_file)
    cfg.model.backbone.pop('init_cfg', None)
    cfg.work_dir = str(tmp_path)
    # Of others, some drop the path of a block in both clips, which then does not move.
    cfg.randomness = dict(seed=0)
    return cfg


@pytest.fixture(autouse=True)
def unformatted(monkeypatch):
    """Without the layout of configs for the log, which takes most of a short run."""
    monkeypatch.setattr(
        'mmengine.config.config.FormatCode', lambda text, **_: (text, True)
    )


@pytest.mark.parametrize('name', NAMES)
def test_config_makes_one_step(name, tmp_path):
    cfg = small(Config.fromfile(CONFIGS / name), tmp_path)
    if cfg.get('train_dataloader') is None:  # k-NN: nothing to train, one test
        init_default_scope('mmaction')
        cfg.load_from = str(tmp_path / 'model.pth')
        torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), cfg.load_from)
        runner = Runner.from_cfg(cfg)
        assert 0 <= runner.test()['acc/top1'] <= 1
        return
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    runner = Runner.from_cfg(cfg)
    before = {n: p.detach().clone() for n, p in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 1
    assert runner.message_hub.get_scalar('train/loss').current() > 0
    trained = {n for n, p in runner.model.named_parameters() if p.requires_grad}
    moved = {
        n for n, p in runner.model.named_parameters() if not torch.equal(p, before[n])
    }
    assert moved == trained
    if cfg.get('val_dataloader') is not None:
        assert 'val/acc/top1' in runner.message_hub.log_scalars


@pytest.mark.parametrize(
    'name', ['fdmae_ntu60.py', 'fdmae_nw-ucla_small.py', 'benchmarks/knn/knn_ntu60.py']
)
def test_config_that_a_run_leaves_can_be_used(name, tmp_path):
    cfg = Config.fromfile(CONFIGS / name)
    cfg.dump(tmp_path / 'left.py')
    assert Config.fromfile(tmp_path / 'left.py').to_dict() == cfg.to_dict()


def test_fdmae_ntu60_is_of_paper_size():
    model = Config.fromfile(CONFIGS / 'fdmae_ntu60.py').model
    backbone = model.backbone
    assert (backbone.embed_dims, backbone.depth, backbone.num_heads) == (256, 8, 8)
    assert (backbone.clip_len, backbone.t_patch_size, backbone.num_joints) == (
        120,
        4,
        25,
    )
    assert model.heads.frequency.windows == (120, 24, 8)


def test_mamp_ntu60_follows_the_published_recipe():
    cfg = Config.fromfile(CONFIGS / 'mamp_ntu60.py')
    crop, rotate = cfg.train_view[1], cfg.train_view[2]
    assert (crop.clip_len, crop.crop_range, crop.min_frames) == (120, (0.5, 1.0), 64)
    assert rotate.theta == 0.3
    masking = cfg.train_dataloader.dataset.pipeline[-2]
    assert masking.type == 'MotionAwareSkeletonMasking'
    assert (masking.mask_ratio, masking.tau) == (0.9, 0.8)
    model = cfg.model
    assert model.type == 'SkeletonMAE'
    assert model.decoder == dict(
        type='SelfAttentionDecoder', embed_dims=256, depth=3, num_heads=8
    )
    assert model.heads.time.target == dict(type='MotionTarget', normalize=True)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.betas, optimizer.weight_decay) == (
        1e-3,
        (0.9, 0.95),
        0.05,
    )
    assert optimizer.lr * cfg.param_scheduler[1].eta_min_ratio == 5e-4
    assert cfg.train_cfg.max_epochs == 400
    assert cfg.auto_scale_lr.base_batch_size == 4 * cfg.train_dataloader.batch_size


@pytest.mark.parametrize(
    ('name', 'tau', 'decoder_depth'),
    [
        ('ntu60', 0.8, 3),
        ('ntu60-xview', 0.8, 3),
        ('ntu120', 0.75, 5),
        ('ntu120-xset', 0.75, 5),
        ('pku-mmd1', 0.8, 5),
        ('pku-mmd1-xview', 0.8, 5),
        ('pku-mmd2', 0.8, 5),
        ('pku-mmd2-xview', 0.8, 5),
    ],
)
def test_mamp_differs_between_sets_as_published(name, tau, decoder_depth):
    cfg = Config.fromfile(CONFIGS / f'mamp_{name}.py')
    assert cfg.train_dataloader.dataset.pipeline[-2].tau == tau
    assert cfg.model.decoder.depth == decoder_depth


def test_finetune_ntu60_follows_the_published_recipe():
    cfg = Config.fromfile(CONFIGS / 'benchmarks/finetune/finetune_ntu60.py')
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.weight_decay) == (3e-4, 0.05)
    assert cfg.optim_wrapper.paramwise_cfg.layer_decay_rate == 0.8
    assert cfg.model.backbone.drop_path_rate == 0.3
    warmup, cosine = cfg.param_scheduler
    assert (warmup.end, cosine.end) == (5, 100)
    assert optimizer.lr * cosine.eta_min_ratio == pytest.approx(1e-5)
    # 24 a process, on two GPUs.
    assert cfg.train_dataloader.batch_size == 24
    assert cfg.auto_scale_lr.base_batch_size == 48


def processes_of(name):
    """How many the command in the docstring of a config starts."""
    started = re.search(r'dist_train\.sh \S+ (\d+)', (CONFIGS / name).read_text())
    return int(started[1]) if started else 1


@pytest.mark.parametrize(
    'name',
    [name for name in NAMES if not re.search('benchmarks/knn/', name)],
)
def test_rates_are_those_of_the_batch_of_the_command(name):
    cfg = Config.fromfile(CONFIGS / name)
    clips = processes_of(name) * cfg.train_dataloader.batch_size
    assert clips == cfg.auto_scale_lr.base_batch_size


@pytest.mark.parametrize('name', NAMES)
def test_rates_end_in_proportion_to_where_they_begin(name):
    # --auto-scale-lr and layer decay change where they begin: under an absolute end a
    # small rate would rise.
    for scheduler in Config.fromfile(CONFIGS / name).get('param_scheduler', []):
        assert 'eta_min' not in scheduler


# Clips of each class of the training splits; of large sets, the mean.
CLIPS = {
    'ntu60': [40091 / 60] * 60,
    'ntu60-xview': [37646 / 60] * 60,
    'ntu120': [63026 / 120] * 120,
    'ntu120-xset': [54468 / 120] * 120,
    'pku-mmd1': [18841 / 51] * 51,
    'pku-mmd2': [5332 / 41] * 41,
    'nw-ucla': [96, 97, 98, 99, 99, 101, 102, 102, 102, 124],
    'utd-mhad': [15] + [16] * 26,
    'msr-action3d': [9, 14, 14] + [15] * 17,
    'sbu': [15, 17, 30, 32, 32, 32, 34, 35],
}


@pytest.mark.parametrize('name', [name for name in NAMES if '/semi' in name])
def test_shares_of_labels_are_those_of_the_name_and_give_steps(name):
    percent, where = re.fullmatch(
        r'semi(\d+)_(.+?)(?:_small)?', Path(name).stem
    ).groups()
    loader = Config.fromfile(CONFIGS / name).train_dataloader
    dataset = unrepeated(loader.dataset)
    assert (dataset.label_share, dataset.draw_seed) == (int(percent) / 100, 0)
    clips = CLIPS[where]
    # A class keeps at least one clip, which must not be more than the share.
    assert len(clips) <= dataset.label_share * sum(clips)
    labelled = sum(max(1, round(dataset.label_share * n)) for n in clips)
    # An incomplete batch is dropped, and an epoch without a step is an error.
    a_process = math.ceil(
        labelled * loader.dataset.get('times', 1) / processes_of(name)
    )
    assert loader.drop_last and a_process >= loader.batch_size


def test_small_sets_take_as_many_steps_as_nw_ucla():
    clips = {'nw-ucla': 1020, 'utd-mhad': 431, 'msr-action3d': 292, 'sbu': 227}
    for name, count in clips.items():
        loader = Config.fromfile(CONFIGS / f'fdmae_{name}_small.py').train_dataloader
        steps = count * loader.dataset.times // loader.batch_size
        assert 157 <= steps <= 161, name


@pytest.mark.parametrize(
    'name, layout',
    [
        ('nw-ucla', 'kinect_v1'),
        ('utd-mhad', 'kinect_v1_utd_mhad'),
        ('msr-action3d', 'kinect_v1_msr_action3d'),
        ('sbu', 'sbu'),
    ],
)
def test_graphs_of_the_supervised_reference_are_those_of_the_layouts(name, layout):
    cfg = Config.fromfile(CONFIGS / f'stgcnpp_{name}_small.py')
    found = cfg.model.backbone.graph_cfg.layout
    expected = get_layout(layout).graph()
    assert [tuple(edge) for edge in found.inward] == expected['inward']
    assert (found.num_node, found.center) == (expected['num_node'], expected['center'])
    assert cfg.train_view[0].layout == layout
