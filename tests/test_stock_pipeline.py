"""The annotation files serve MMAction2's own dataset, pipeline and model."""

from pathlib import Path

import mmaction
import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.runner import Runner

from fdmae_mm.datasets.layouts import get_layout

STOCK_CONFIG = (
    Path(mmaction.__file__).parent
    / '.mim/configs/skeleton/stgcn/stgcn_8xb16-joint-u100-80e_ntu60-xsub-keypoint-3d.py'
)


@pytest.fixture
def stock_config(tmp_path):
    """The stock STGCN config, cut to two iterations without workers."""
    if not STOCK_CONFIG.exists():
        pytest.skip('this MMAction2 was installed without its configs')
    config = Config.fromfile(STOCK_CONFIG)
    config.work_dir = str(tmp_path)
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
    config.train_dataloader.update(
        batch_size=2, num_workers=0, persistent_workers=False
    )
    for part in ('val', 'test'):
        config[f'{part}_dataloader'] = config[f'{part}_evaluator'] = None
        config[f'{part}_cfg'] = None
    config.param_scheduler = None
    config.default_hooks.checkpoint.save_last = False
    return config


def train(config, ann_file, split, num_classes):
    dataset = config.train_dataloader.dataset.dataset
    dataset.ann_file, dataset.split = ann_file, split
    config.model.cls_head.num_classes = num_classes
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter == 2
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 2 and all(0 < loss < 100 for loss in losses)


def test_synthetic_trains_stock_stgcn(stock_config, synthetic_ann_file):
    train(stock_config, synthetic_ann_file, 'xsub_train', num_classes=20)


def test_nw_ucla_trains_stock_stgcn(stock_config, nw_ucla_ann_file):
    layout = get_layout('kinect_v1')
    stock_config.model.backbone.graph_cfg.layout = dict(
        num_node=layout.num_joints, inward=list(layout.edges), center=layout.center
    )
    train(stock_config, nw_ucla_ann_file, 'xview_train', num_classes=10)


@pytest.mark.parametrize('ann_file', ['synthetic_ann_file', 'nw_ucla_ann_file'])
def test_stock_pipeline_takes_every_kind_of_clip(stock_config, ann_file, request):
    """One and two persons, and NW-UCLA's clips of a single frame."""
    stock = stock_config.train_dataloader.dataset.dataset
    dataset = DATASETS.build(
        stock | dict(ann_file=request.getfixturevalue(ann_file), split='xview_train')
    )
    frames = [dataset.get_data_info(i)['total_frames'] for i in range(len(dataset))]
    by_length = sorted(range(len(dataset)), key=frames.__getitem__)
    for index in (*by_length[:2], *by_length[-2:], *range(20)):
        inputs = dataset[index]['inputs']  # (clips, persons, frames, joints, 3)
        assert inputs.shape[:3] == (1, 2, 100)
        assert inputs.isfinite().all()
