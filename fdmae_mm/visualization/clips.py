"""The clips of a config, as its plots need them."""

from __future__ import annotations

import copy

import numpy as np
from mmaction.datasets.transforms import GenSkeFeat, PackActionInputs
from mmaction.registry import DATASETS, TRANSFORMS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset, Compose
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..apis.loading import seed_of
from ..datasets.layouts import SkeletonLayout
from ..datasets.skeleton_dataset import parts_of
from ..datasets.transforms import BaseSkeletonMasking, SkeletonStream
from ..files import bare_name
from .style import average_pose


def train_clips(cfg: Config, num_clips: int | None = None) -> BaseDataset:
    """The data set of training, each clip once, as its pipeline gives them.

    Args:
        cfg (Config): A complete config.
        num_clips (int, optional): Take that many, evenly spaced; by default all.
    """
    return _build(_train_dataset(cfg), num_clips)


def eval_batches(
    cfg: Config, masked: bool = False, num_clips: int | None = None
) -> DataLoader:
    """A loader of the clips of ``eval_dataloader``, masked as in training if asked.

    Args:
        cfg (Config): A complete config; of pre-training if masks are asked for.
        masked (bool): Append the masking of the training pipeline, and all after it.
        num_clips (int, optional): Take that many, evenly spaced; by default all.

    Raises:
        ValueError: Masks are asked for, and the training pipeline has no masking.
    """
    loader = copy.deepcopy(cfg.eval_dataloader)
    if masked:
        view = masked_view(cfg)
        for part in parts_of(loader.dataset):
            part.pipeline = view
    loader.dataset = _build(loader.dataset, num_clips)
    return Runner.build_dataloader(loader, seed=seed_of(cfg))


def data_pose(dataset: BaseDataset, layout: SkeletonLayout) -> np.ndarray:
    """Average pose of up to 100 clips of a data set, as joints whatever its stream.

    Returns:
        np.ndarray: Shape (V, 2), see :func:`average_pose`.
    """
    left_out = (SkeletonStream, GenSkeFeat, BaseSkeletonMasking, PackActionInputs)
    steps = dataset.pipeline.transforms
    view = Compose([step for step in steps if not isinstance(step, left_out)])
    clips = []
    for index in _spread(len(dataset), 100):
        results = view(dataset.get_data_info(index))
        channels = results['keypoint'].shape[-1] - ('keypoint_score' in results)
        clips.append(results['keypoint'][..., :channels])
    return average_pose(clips, layout)


def _train_dataset(cfg: Config) -> ConfigDict:
    if cfg.get('train_dataloader') is None:
        raise ValueError(f'{cfg.filename} has no train_dataloader: nothing is masked.')
    return parts_of(cfg.train_dataloader.dataset)[0]  # all are masked alike


def masked_view(cfg: Config) -> list[dict]:
    """The pipeline of ``eval_dataloader`` with the masking of the training pipeline.

    What follows the masking there, such as the packing of the mask, comes with it.

    Raises:
        ValueError: The training pipeline has no masking.
    """
    view = parts_of(cfg.eval_dataloader.dataset)[0].pipeline
    names = [bare_name(step['type']) for step in view]
    view = view[: names.index('PackActionInputs')]
    pipeline = _train_dataset(cfg).pipeline
    for index, step in enumerate(pipeline):
        if isinstance(TRANSFORMS.build(step), BaseSkeletonMasking):
            return [*view, *pipeline[index:]]
    raise ValueError(
        f'The training pipeline of {cfg.filename} has no masking: take the config of a '
        'pre-training.'
    )


def _build(dataset: ConfigDict, num_clips: int | None) -> BaseDataset:
    dataset = DATASETS.build(dataset)
    if num_clips is not None and num_clips < len(dataset):
        dataset.get_subset_(_spread(len(dataset), num_clips))
    return dataset


def _spread(length: int, count: int) -> list[int]:
    """Up to ``count`` indices, evenly spaced: files often stand class by class."""
    return np.linspace(0, length - 1, min(length, count), dtype=int).tolist()
