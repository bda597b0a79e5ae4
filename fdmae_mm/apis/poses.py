"""Models of mmpose: from frames to poses, and from poses to three dimensions.

mmpose is optional; nothing of it is imported before a model is loaded.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from torch import nn

from .. import compat
from ..datasets.keypoints import interpolate_joints
from ..datasets.layouts import LAYOUTS, SkeletonLayout, layout_from_joints
from ..datasets.tracking import Track
from .loading import find_config, read_weights

#: A frame (H, W, 3), uint8, BGR -> boxes of persons (N, 5): left, top, right, bottom,
#: score; or (N, 4), all of score 1.
Detector = Callable[[np.ndarray], np.ndarray]

# Human3.6M's images, for which mmpose's lifters scale their input.
_H36M_SIDE = 1000
# Windows that go through a lifter at once.
_WINDOWS = 64
# What convert_keypoint_definition makes the joints of h36m of. It also returns those of
# coco_wholebody, unchanged.
_LIFTED = ('h36m', 'coco', 'posetrack18', 'aic', 'crowdpose')


def load_pose_model(
    config: str | os.PathLike, weights: str | os.PathLike, device: str | None = None
) -> nn.Module:
    """Builds a model of mmpose and gives it the weights of a checkpoint.

    mmpose's own ``init_model`` only warns where the weights do not fit, and leaves
    mmpose as the scope in which mmaction's configs are read from then on.

    Args:
        config: A config of mmpose, or the bare name of one that mmpose ships.
        weights: Its checkpoint, a file.
        device: Where the model goes; by default a GPU if there is one.

    Returns:
        The model in eval mode, with ``cfg`` and ``dataset_meta``.

    Raises:
        ImportError: mmpose is not installed.
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The checkpoint is damaged, lacks weights of the model or has them in
            another shape.
    """
    compat.require_mmpose()
    import mmpose
    from mmpose.apis import init_model

    config = find_config(config, Path(mmpose.__file__).parent / '.mim' / 'configs')
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f'There is no checkpoint {weights}. Weights are a file: '
            f'`mim download mmpose --config {config.stem} --dest .` brings those of '
            "mmpose's model zoo."
        )
    with DefaultScope.overwrite_default_scope('mmpose'), warnings.catch_warnings():
        # Of a dataset_info that it finds elsewhere, or not, which is seen to below.
        warnings.simplefilter('ignore')
        model = init_model(config, None, device=device or get_device())
    checkpoint = read_weights(weights)
    try:
        missing = model.load_state_dict(
            checkpoint.get('state_dict', checkpoint), strict=False
        ).missing_keys
    except RuntimeError as error:
        raise ValueError(
            f'{weights} does not fit the model of {config}: {error}'
        ) from error
    if missing:
        raise ValueError(
            f'{weights} lacks {len(missing)} weights of the model of {config}, the '
            f'first is {missing[0]}. Give the checkpoint that belongs to this config.'
        )
    meta = checkpoint.get('meta', {}).get('dataset_meta')
    model.dataset_meta = meta or _dataset_meta(model.cfg)
    return model


def _dataset_meta(config: Config) -> dict:
    """What the test set of a config tells of the joints."""
    from mmpose.apis.inference import dataset_meta_from_config

    # init_model asks the training set, which some configs nest, and falls back on coco.
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        meta = dataset_meta_from_config(config, 'test')
    if meta is None:
        raise ValueError(f'Neither weights nor {config.filename} tell the joints.')
    return meta


def layout_of(dataset_meta: dict) -> SkeletonLayout:
    """The layout that mmpose's ``dataset_meta`` describes."""
    name, names = dataset_meta['dataset_name'], dataset_meta['keypoint_id2name']
    joints = tuple(names[i] for i in range(len(names)))
    if name in LAYOUTS and LAYOUTS[name].joints == joints:
        return LAYOUTS[name]
    return layout_from_joints(name, joints, dataset_meta['skeleton_links'])


def mmdet_detector(config: str, weights: str, device: str | None = None) -> Detector:
    """A detector of persons from mmdet, which needs a full mmcv.

    Args:
        config: A config of mmdet.
        weights: Its checkpoint.
        device: Where the model goes; by default a GPU if there is one.

    Raises:
        ImportError: mmdet is not installed, or does not work here.
    """
    compat.require_mmpose()
    try:
        from mmdet.apis import inference_detector, init_detector
    except Exception as error:  # mmcv-lite has no mmcv.ops: ModuleNotFoundError
        raise ImportError(
            f'A detector from a config needs mmdet, which fails here: {error}. Install '
            'mmdet >= 3 with a full mmcv in the place of mmcv-lite, or give boxes by a '
            'function of your own.'
        ) from error
    from mmpose.evaluation.functional import nms
    from mmpose.utils import adapt_mmdet_pipeline

    with DefaultScope.overwrite_default_scope('mmdet'):
        model = init_detector(config, weights, device=device or get_device())
    model.cfg = adapt_mmdet_pipeline(model.cfg)

    def detect(frame: np.ndarray) -> np.ndarray:
        with DefaultScope.overwrite_default_scope('mmdet'):
            found = inference_detector(model, frame).pred_instances.cpu().numpy()
        boxes = np.column_stack([found.bboxes, found.scores])
        boxes = boxes[found.labels == 0]  # of coco's classes the persons
        # 0.3, as in the demos of mmpose: two boxes of one person make two tracks.
        return boxes[nms(boxes, 0.3)]

    return detect


class FramePoses:
    """Poses of all persons in each frame, by a model of mmpose.

    Args:
        model: What :func:`load_pose_model` returns: a top-down model, or one that
            finds persons by itself (bottom-up or one-stage).
        detector: Where a top-down model looks: a :data:`Detector`, or
            ``'whole_image'``, one person who fills every frame. None for a model that
            finds persons by itself.
        min_score: Persons whose box, or whose pose where there is none, has a lower
            score are left out.
        batch_size: Persons that go through a top-down model at once; they may be of
            several frames.

    Raises:
        ValueError: A top-down model has no detector, or another one has.
    """

    def __init__(
        self,
        model: nn.Module,
        detector: Detector | str | None,
        min_score: float = 0.3,
        batch_size: int = 32,
    ) -> None:
        self.top_down = model.cfg.data_mode == 'topdown'
        name = type(model).__name__
        if self.top_down and detector != 'whole_image' and not callable(detector):
            raise ValueError(
                f'{name} is a top-down model and needs to be told where persons are, '
                f'but detector={detector!r}. Give a function from a frame to boxes '
                '(mmdet_detector, --detector, makes one of a model of mmdet), '
                "'whole_image' (--whole-image) where one person fills the frame, or a "
                'model that finds persons by itself, such as yoloxpose.'
            )
        if not self.top_down and detector is not None:
            raise ValueError(
                f'{name} finds persons by itself and takes no detector={detector!r}.'
            )
        self.model = model
        self.detector = detector
        self.min_score = min_score
        # Heads of bottom-up models such as DEKR take one image.
        self.batch_size = batch_size if self.top_down else 1
        with DefaultScope.overwrite_default_scope('mmpose'):
            self.pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
        self.num_joints = model.dataset_meta['num_keypoints']

    def __call__(
        self, frames: Iterable[np.ndarray]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Joints (N, V, 2) in pixels and scores (N, V) of each frame, in its order.

        A score of 0 or less marks a joint that was not found, and becomes 0. No more
        frames than a batch needs are held.
        """
        # Not mmpose's inference_topdown: it takes a frame without boxes for one that
        # a person fills, and makes a batch of one frame.
        items, counts = [], []
        for frame in frames:
            new = self._items(frame)
            items += new
            counts.append(len(new))
            if len(items) >= self.batch_size:
                yield from self._predict(items, counts)
                items, counts = [], []
        yield from self._predict(items, counts)

    def _items(self, frame: np.ndarray) -> list[dict]:
        """Inputs of the model: a crop a person, or the frame."""
        info = dict(img=frame, **self.model.dataset_meta)
        if not self.top_down:
            return [self.pipeline(info)]
        return [
            self.pipeline(dict(info, bbox=box[None, :4], bbox_score=box[4:]))
            for box in self._boxes(frame)
        ]

    def _boxes(self, frame: np.ndarray) -> np.ndarray:
        """Boxes (N, 5) of the persons in a frame."""
        if self.detector == 'whole_image':
            height, width = frame.shape[:2]
            return np.array([[0, 0, width, height, 1]], np.float32)
        boxes = np.asarray(self.detector(frame), np.float32)
        if boxes.size == 0:
            return np.zeros((0, 5), np.float32)
        if boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
            raise ValueError(
                f'The detector gave boxes of shape {boxes.shape}, expected (N, 5): '
                'left, top, right, bottom, score; or (N, 4) without score.'
            )
        if boxes.shape[1] == 4:
            boxes = np.column_stack([boxes, np.ones(len(boxes), np.float32)])
        there = (boxes[:, 2:4] > boxes[:, :2]).all(1) & (boxes[:, 4] >= self.min_score)
        return boxes[there]

    @torch.no_grad()
    def _predict(
        self, items: list[dict], counts: list[int]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Poses of frames with so many items each."""
        samples = []
        if items:
            with DefaultScope.overwrite_default_scope('mmpose'):
                samples = self.model.test_step(pseudo_collate(items))
        samples = iter(samples)
        for count in counts:
            keypoint = [np.zeros((0, self.num_joints, 2), np.float32)]
            score = [np.zeros((0, self.num_joints), np.float32)]
            for _ in range(count):
                found = next(samples).pred_instances.cpu().numpy()
                scores = found.keypoint_scores
                if not self.top_down:
                    sure = found.get('bbox_scores', scores.mean(1)) >= self.min_score
                    found, scores = found[sure], scores[sure]
                keypoint.append(found.keypoints[..., :2])
                score.append(np.maximum(scores, 0))
            yield np.concatenate(keypoint), np.concatenate(score)


class PoseLifter:
    """Tracks in the image to tracks in space, by a model of mmpose.

    The input is brought to where Human3.6M has it, as mmpose's demos do: each pose is
    moved such that its root stands in the middle and scaled to the usual size. Unlike
    there, one scale serves the whole track, or a crouching person would grow, and the
    image is Human3.6M's, not that of the video. MotionBERT is given its 243 frames at
    once; mmpose's demos give it single ones. Frames in which a tracked person was not
    seen are filled along a line for the model, and left out of what is returned.

    What comes out has the axes of Kinect and NTU RGB+D: x to the left of the image, y
    up if the camera is level, z away from the camera, in the metres of Human3.6M's
    actors. A lifter tells a pose about its root; the root is placed by the pixels of
    the 2-D pose, under a weak perspective with a focal length of the image's width. So
    jumps, paths across the image and distances between persons stay; towards the
    camera a person does not move.

    Args:
        model: What :func:`load_pose_model` returns for a lifter to ``h36m``.
        source: ``dataset_name`` of the 2-D model.

    Raises:
        ValueError: The model is no such lifter, or mmpose cannot make its joints of
            those of the 2-D model.
    """

    def __init__(self, model: nn.Module, source: str) -> None:
        if model.dataset_meta['dataset_name'] != 'h36m':
            raise ValueError(
                f'The lifter gives {model.dataset_meta["dataset_name"]!r} joints, only '
                "'h36m' is supported: SimpleBaseline3D, VideoPoseLift, MotionBERT."
            )
        if source not in _LIFTED:
            raise ValueError(
                f'mmpose makes no joints of h36m of those of {source!r}. Take a 2-D '
                f'model of {", ".join(_LIFTED)}.'
            )
        self.model = model
        self.source = source
        dataset = model.cfg.test_dataloader.dataset
        # MotionBERT gives a pose for each frame of its window, the others one.
        self.all_at_once = dataset.get('multiple_target', 0)
        self.seq_len = self.all_at_once or dataset.get('seq_len', 1)
        self.step = dataset.get('seq_step', 1)
        self.causal = dataset.get('causal', False)
        with DefaultScope.overwrite_default_scope('mmpose'):
            self.pipeline = Compose(dataset.pipeline)

    def __call__(self, track: Track, img_shape: tuple[int, int]) -> np.ndarray:
        """Joints (S, 17, 3) of a track in the S frames in which it was seen.

        Args:
            track: Joints of the 2-D model.
            img_shape: Height and width of the image.
        """
        from mmpose.apis import convert_keypoint_definition

        seen = np.array(track.frames) - track.frames[0]
        # Where mmpose puts a joint that it has not found, score 0, has nothing to do
        # with the body.
        pose = interpolate_joints(
            np.stack(track.keypoint), np.stack(track.score) > 0, seen
        )
        pose = convert_keypoint_definition(pose, self.source, 'h36m')  # (S, 17, 2)
        every = np.arange(seen[-1] + 1)
        filled = np.stack(
            [np.interp(every, seen, line) for line in pose.reshape(len(pose), -1).T], -1
        ).reshape(-1, 17, 2)
        stats = self.model.dataset_meta['stats_info']
        offset = filled - filled[:, :1]
        size = np.median(np.ptp(offset, axis=1).max(-1))
        centred = offset * (stats['bbox_scale'] / max(size, 1)) + stats['bbox_center']
        space = self._lift(centred.astype(np.float32))[seen]  # (S, 17, 3)
        space = space - space[:, :1]

        # Metres a pixel, from the same bodies in both.
        scale = np.linalg.norm(space[..., :2]) / max(np.linalg.norm(offset[seen]), 1)
        height, width = img_shape
        root = pose[:, 0] - [width / 2, height / 2]
        place = scale * np.column_stack([root, np.full(len(root), width)])
        return ((space + place[:, None]) * [-1, -1, 1]).astype(np.float32)

    def _lift(self, pose: np.ndarray) -> np.ndarray:
        """Poses (T, 17, 2) in Human3.6M's image to poses (T, 17, 3)."""
        frames = len(pose)
        if self.all_at_once:
            length = min(self.seq_len, frames)
            # The last window reaches back, so that it is full.
            starts = [*range(0, frames - length, length), frames - length]
            space = np.zeros((frames, 17, 3), np.float32)
            for start in starts:
                window = pose[start : start + length]
                space[start : start + length] = self._predict([window])[0]
            return space
        past = (self.seq_len - 1) if self.causal else (self.seq_len - 1) // 2
        around = (np.arange(self.seq_len) - past) * self.step
        index = np.clip(np.arange(frames)[:, None] + around, 0, frames - 1)
        batches = np.array_split(pose[index], -(-frames // _WINDOWS))
        return np.concatenate([self._predict(batch)[:, 0] for batch in batches])

    @torch.no_grad()
    def _predict(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Windows (B, L, 17, 2) to poses (B, 1 or L, 17, 3)."""
        # What the pipelines of training ask for, and a test does not use.
        targets = len(windows[0]) if self.all_at_once else 1
        items = [
            self.pipeline(
                dict(
                    self.model.dataset_meta,
                    keypoints=window,
                    keypoints_visible=np.ones(window.shape[:2], np.float32),
                    lifting_target=np.zeros((targets, 17, 3), np.float32),
                    lifting_target_visible=np.ones((targets, 17, 1), np.float32),
                    factor=np.zeros(len(window), np.float32),
                    camera_param=dict(w=_H36M_SIDE, h=_H36M_SIDE),
                )
            )
            for window in windows
        ]
        with DefaultScope.overwrite_default_scope('mmpose'):
            samples = self.model.test_step(pseudo_collate(items))
        return np.stack(
            [sample.pred_instances.keypoints.reshape(-1, 17, 3) for sample in samples]
        )
