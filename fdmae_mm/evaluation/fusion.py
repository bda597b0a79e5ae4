"""Fusion of the scores of several streams, in the format of MMAction2."""

import _codecs
import collections
import io
import logging
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.evaluation import get_weighted_score
from mmengine.logging import print_log
from scipy.special import softmax

from ..files import written_whole


class Scores(NamedTuple):
    """What a model says of the clips of a test set.

    Attributes:
        scores (np.ndarray): Shape (S, classes).
        labels (np.ndarray): Shape (S,).
        names (list[str | None]): ``frame_dir`` of each clip, where it was packed.
    """

    scores: np.ndarray
    labels: np.ndarray
    names: list[str | None]


def _load_storage(data: bytes) -> Any:
    # PyTorch's own function of this name would run any code inside.
    return torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)


# What a list of dicts of tensors, numbers and strings refers to.
_ALLOWED = {
    ('_codecs', 'encode'): _codecs.encode,
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
    ('torch.storage', '_load_from_bytes'): _load_storage,
}


class _ScoreUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f'it refers to {module}.{name}; anything but tensors, numbers and '
                'strings is not loaded because it could run code'
            ) from None


def read_scores(path: str | os.PathLike) -> Scores:
    """Reads what ``--dump`` of a test or probe wrote, without running code from it.

    Args:
        path (str | os.PathLike): A pickle of MMEngine's ``DumpResults``: a list with a
            dict of 'pred_score' and 'gt_label' for each clip.

    Returns:
        Scores: Scores, labels and names of the clips.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged or is no such list.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(
            f'{path} does not exist. Write scores with tools/test.py --dump.'
        )
    with open(path, 'rb') as file:
        try:
            samples = _ScoreUnpickler(file).load()
        # A damaged pickle can raise nearly anything.
        except Exception as error:
            raise ValueError(
                f'{path} could not be read as the scores of a test: '
                f'{error or type(error).__name__}. Write them with tools/test.py '
                '--dump.'
            ) from error
    if not isinstance(samples, list) or not samples:
        raise ValueError(f'{path} must hold a list of a dict for each clip.')
    scores, labels, names = [], [], []
    for index, sample in enumerate(samples):
        score, label = (
            sample.get(key) if isinstance(sample, dict) else None
            for key in ('pred_score', 'gt_label')
        )
        if not (
            isinstance(score, torch.Tensor)
            and isinstance(label, torch.Tensor)
            and score.dim() == 1
            and score.shape == samples[0]['pred_score'].shape
            and label.numel() == 1
        ):
            raise ValueError(
                f'{path}, clip {index}: expected a dict with the tensors pred_score, '
                'one number a class, the same number in all clips, and gt_label, one '
                'label.'
            )
        scores.append(score.float().numpy())
        labels.append(label.item())
        names.append(sample.get('frame_dir'))
    return Scores(np.stack(scores), np.array(labels), names)


def write_scores(scores: Scores, path: str | os.PathLike) -> None:
    """Writes the file that :func:`read_scores` reads, whole or not at all."""
    samples = [
        dict(
            pred_score=torch.from_numpy(score),
            gt_label=torch.tensor([label]),
            frame_dir=name,
        )
        for score, label, name in zip(*scores, strict=True)
    ]
    with written_whole(Path(path)) as part, open(part, 'wb') as file:
        pickle.dump(samples, file)


def fuse_scores(
    streams: Mapping[str, Scores],
    coefficients: Sequence[float],
    apply_softmax: bool = False,
) -> np.ndarray:
    """Weighted sum of scores, as ``report_accuracy.py`` of MMAction2 has it.

    Args:
        streams (Mapping[str, Scores]): Scores of the same clips by name, for example
            joint, bone and motion.
        coefficients (Sequence[float]): Weight of each.
        apply_softmax (bool): Whether to turn scores into probabilities before.

    Returns:
        np.ndarray: Shape (S, classes).

    Raises:
        ValueError: The streams are not of the same clips in the same order.
    """
    if not np.isfinite(coefficients).all() or not np.any(coefficients):
        raise ValueError(
            f'coefficients={list(coefficients)} must be finite, and not all 0.'
        )
    (first, reference), *others = streams.items()
    unnamed = [name for name, stream in streams.items() if None in stream.names]
    if others and unnamed:
        print_log(
            f'{", ".join(unnamed)}: clips have no frame_dir, so that they are compared '
            "by label alone. PackActionInputs(meta_keys=('frame_dir',)) packs it.",
            level=logging.WARNING,
        )
    for name, stream in others:
        if stream.scores.shape != reference.scores.shape:
            raise ValueError(
                f'{first} has (clips, classes) = {reference.scores.shape}, {name} has '
                f'{stream.scores.shape}: they are not of the same test.'
            )
        for index, (a, b) in enumerate(
            zip(
                zip(reference.names, reference.labels, strict=True),
                zip(stream.names, stream.labels, strict=True),
                strict=True,
            )
        ):
            if a != b:
                raise ValueError(
                    f'Clip {index} is {a[0]} of class {a[1]} in {first}, but {b[0]} of '
                    f'class {b[1]} in {name}: they are not of the same test.'
                )
    scores = [stream.scores for stream in streams.values()]
    if apply_softmax:
        scores = [softmax(score, axis=1) for score in scores]
    return np.array(get_weighted_score(scores, coefficients))
