"""Configs of more or less work."""

from __future__ import annotations

import dataclasses

from mmengine.config import Config, ConfigDict

from ..datasets.skeleton_dataset import parts_of
from .workloads import Setting

#: What can be swept, and what it is.
QUANTITIES = {
    'T': 'frames of a clip',
    'V': 'joints',
    'persons': 'share of clips with a second person',
    'batch': 'clips a step',
    'depth': 'blocks of the encoder',
}


def changed(setting: Setting, quantity: str, value: float) -> Setting:
    """The setting with one of ``QUANTITIES`` set to a value, and all that hangs on it.

    Args:
        setting: What is changed.
        quantity: A key of ``QUANTITIES``.
        value: Whole, but for persons.

    Raises:
        ValueError: The value is not whole, the clips are the config's own, which have
            their joints and persons, or a transform knows its joints by itself.
    """
    name = f'{quantity} {value:g}'
    if quantity == 'persons':
        _needs_synthetic(setting, quantity)
        return dataclasses.replace(setting, name=name, persons=value)
    if value != int(value) or value < 1:
        raise ValueError(f'{name}: {QUANTITIES[quantity]} must be a whole number > 0.')
    value = int(value)
    if quantity == 'batch':
        return dataclasses.replace(setting, name=name, batch_size=value)
    cfg = Config(setting.cfg.to_dict(), filename=setting.cfg.filename)
    if quantity == 'depth':
        cfg.model.backbone.depth = value
    elif quantity == 'T':
        _set_frames(cfg, value)
    else:
        _needs_synthetic(setting, quantity)
        _set_joints(cfg, value)
    return dataclasses.replace(setting, name=name, cfg=cfg)


def _needs_synthetic(setting: Setting, quantity: str) -> None:
    if setting.data != 'synthetic':
        raise ValueError(f'{quantity} can be swept with synthetic clips alone.')


def _set_frames(cfg: Config, frames: int) -> None:
    for dataset in _datasets(cfg):
        resizing = [step for step in dataset.pipeline if 'clip_len' in step]
        if not resizing:
            raise ValueError(
                f'T cannot be swept: no transform of {cfg.filename} sets clip_len.'
            )
        for step in resizing:
            step.clip_len = frames
    cfg.model.backbone.clip_len = frames


def _set_joints(cfg: Config, joints: int) -> None:
    for dataset in _datasets(cfg):
        for step in dataset.pipeline:
            if {'source', 'target', 'dataset'} & step.keys():
                raise ValueError(
                    f'V cannot be swept: {step.type} of {cfg.filename} knows its '
                    'joints by itself.'
                )
            if 'layout' in step:
                step.layout = _body(joints)
        dataset.num_joints = joints
    cfg.model.backbone.num_joints = joints
    if 'num_joints' in cfg.model.get('cls_head', {}):
        cfg.model.cls_head.num_joints = joints


def _datasets(cfg: Config) -> list[ConfigDict]:
    loaders = (cfg.get('train_dataloader'), cfg.get('eval_dataloader'))
    return [part for each in loaders if each for part in parts_of(each.dataset)]


def _body(num_joints: int) -> dict:
    """A layout of a trunk, shoulders, hips, and a tail of all the rest."""
    joints = 'pelvis spine neck right_shoulder left_shoulder right_hip left_hip'.split()
    if num_joints < len(joints):
        raise ValueError(f'V {num_joints}: the least is {len(joints)}.')
    edges = [(1, 0), (2, 1), (3, 2), (4, 2), (5, 0), (6, 0)]
    for index in range(len(joints), num_joints):
        joints.append(f'tail_{index}')
        edges.append((index, index - 1))
    return dict(name=f'{num_joints} joints', joints=joints, edges=edges)
