"""Probes on features that are computed once."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn

from ..models.heads.classification import pool, pool_joints
from .neighbors import (
    knn_scores,
    nearest_neighbor_scores,
    one_hot,
    retrieval_map,
    top1_accuracy,
)


class Probed(NamedTuple):
    """What probes say of features.

    Attributes:
        figures (dict[str, float]): Name -> figure in %.
        scores (dict[str, Tensor]): Name of an accuracy -> scores of the clips that it
            is of, (Q, classes).
    """

    figures: dict[str, float]
    scores: dict[str, Tensor]


@torch.no_grad()
def extract_features(
    model: BaseRecognizer, batches: Iterable[dict], keep_joints: bool = False
) -> tuple[Tensor, Tensor]:
    """Pooled encoder features of every clip, in eval mode.

    Args:
        model (BaseRecognizer): Any recognizer with a SkeletonTransformer.
        batches (Iterable[dict]): A data loader.
        keep_joints (bool): Leave the joints apart, as MAMP's fine-tuning head does.

    Returns:
        tuple[Tensor, Tensor]: Features (S, D), the mean over clips, persons, time and
        joints, or (S, V * D), joint after joint; and labels (S,).
    """
    model.eval()
    features, labels = [], []
    for batch in batches:
        batch = model.data_preprocessor(batch, training=False)
        samples = batch['data_samples']
        feats, _ = model.extract_feat(batch['inputs'])
        feats = pool_joints(feats) if keep_joints else pool(feats)
        feats = feats.float().unflatten(0, (len(samples), -1)).mean(1)
        features.append(feats)
        labels.append(torch.cat([s.gt_label for s in samples]).to(feats.device))
    return torch.cat(features), torch.cat(labels)


def extract_joints(batches: Iterable[dict]) -> tuple[Tensor, Tensor]:
    """The joints of every clip, as an encoder is given them.

    What a result must stand beside: what the same labels give without any encoder.

    Args:
        batches (Iterable[dict]): A data loader.

    Returns:
        tuple[Tensor, Tensor]: Coordinates (S, M * T * V * C), the mean over the clips
        of a sample; and labels (S,).
    """
    joints, labels = [], []
    for batch in batches:
        clips = torch.stack(batch['inputs']).float()  # (B, K, M, T, V, C)
        joints.append(clips.mean(1).flatten(1))
        labels.append(torch.cat([s.gt_label for s in batch['data_samples']]))
    return torch.cat(joints), torch.cat(labels)


def extract_views(
    extract: Callable[[Iterable[dict]], tuple[Tensor, Tensor]],
    batches: Iterable[dict],
    views: int,
) -> tuple[Tensor, Tensor]:
    """Features of several augmented views of every clip.

    Args:
        extract (Callable): Gives features (S, D) and labels (S,) of one pass over
            ``batches``, as :func:`extract_joints`, or :func:`extract_features` of a
            model.
        batches (Iterable[dict]): A data loader with a pipeline of training, which has
            its clips in the same order in every pass.
        views (int): K, passes.

    Returns:
        tuple[Tensor, Tensor]: Features (K, S, D) and labels (S,).

    Raises:
        ValueError: Passes have their clips in different orders.
    """
    features = labels = None
    for view in range(views):
        found, found_labels = extract(batches)
        # Not a list to stack, which would hold every view twice.
        if features is None:
            features, labels = found.new_empty(views, *found.shape), found_labels
        if not torch.equal(labels, found_labels):
            raise ValueError(
                'Passes over the training clips have them in different orders: their '
                'loader must not shuffle.'
            )
        features[view] = found
    return features, labels


def probe_features(
    bank: tuple[Tensor, Tensor],
    queries: tuple[Tensor, Tensor],
    training: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
) -> Probed:
    """Neighbours, retrieval and a linear probe, of features computed once.

    Args:
        bank (tuple[Tensor, Tensor]): Features (S, D) and labels (S,) of the labelled
            clips, as a test sees them.
        queries (tuple[Tensor, Tensor]): Those of the clips to classify.
        training (tuple[Tensor, Tensor], optional): What the linear probe is trained on
            in place of ``bank``, as :func:`extract_views` gives it.
        seed (int): Of the linear probe.

    Returns:
        Probed: ``'1nn'``, ``'knn20'`` (20 neighbours, or all where there are fewer),
        ``'linear'``, and without scores ``'map'`` (retrieval of ``bank`` by
        ``queries``).
    """
    features, labels = queries
    scores = {
        '1nn': knn_scores(*bank, features, k=1),
        'knn20': knn_scores(*bank, features, k=min(20, len(bank[0]))),
        'linear': linear_probe_scores(*(training or bank), features, seed),
    }
    figures = _accuracies(scores, labels)
    figures['map'] = retrieval_map(*bank, *queries)
    return Probed(figures, scores)


def probe_joints(
    bank: tuple[Tensor, Tensor],
    queries: tuple[Tensor, Tensor],
    training: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
) -> Probed:
    """What joints give without an encoder: the figures to beat.

    The arguments are those of :func:`probe_features`, with the coordinates of
    :func:`extract_joints` for features.

    Returns:
        Probed: ``'1nn'`` by Euclidean distance; ``'linear'``, the probe of
        :func:`linear_probe_scores`; ``'svm'``, scikit-learn's support vector machine
        with its RBF kernel and C = 10, trained on every view, whose time grows with
        the square of their number.

    Raises:
        ImportError: scikit-learn is missing.
    """
    if find_spec('sklearn') is None:
        raise ImportError(
            'A support vector machine needs scikit-learn: pip install "fdmae_mm[plot]"'
        )
    from sklearn.svm import SVC

    views, labels = training or bank
    views = views.reshape(-1, len(labels), views.shape[-1])
    machine = SVC(C=10)
    machine.fit(views.flatten(0, 1).numpy(), labels.repeat(len(views)).numpy())
    joints, query_labels = queries
    predicted = torch.from_numpy(machine.predict(joints.numpy()))
    scores = {
        '1nn': nearest_neighbor_scores(*bank, joints),
        'linear': linear_probe_scores(views, labels, joints, seed),
        'svm': one_hot(predicted, labels),
    }
    return Probed(_accuracies(scores, query_labels), scores)


def _accuracies(scores: dict[str, Tensor], labels: Tensor) -> dict[str, float]:
    return {name: top1_accuracy(found, labels) for name, found in scores.items()}


def hold_out_groups(
    bank: tuple[Tensor, Tensor],
    groups: Sequence[Hashable],
    training: tuple[Tensor, Tensor] | None = None,
    seed: int = 0,
    probe: Callable[..., Probed] = probe_features,
) -> dict[str, float]:
    """The figures of a probe without a test split.

    Each group in turn, a subject as a rule, is classified by the clips of the others.

    Args:
        bank (tuple[Tensor, Tensor]): Features (S, D) and labels (S,), as a test sees
            the clips.
        groups (Sequence[Hashable]): What group each clip belongs to, S of them.
        training (tuple[Tensor, Tensor], optional): Views of the same clips, as
            :func:`extract_views` gives them, to train the linear probe on.
        seed (int): Of the linear probes.
        probe (Callable): :func:`probe_features` or :func:`probe_joints`.

    Returns:
        dict[str, float]: Figures of all S clips, in %.

    Raises:
        ValueError: There is a single group, or not one for each clip, or the views are
            of other clips.
    """
    features, labels = bank
    if training is not None and not torch.equal(training[1], labels):
        raise ValueError(
            f'The views are of {len(training[1])} clips and the bank is of '
            f'{len(labels)}, or their labels differ: both must be the same clips in '
            'the same order.'
        )
    names = list(dict.fromkeys(groups))
    if len(groups) != len(labels) or len(names) < 2:
        raise ValueError(
            f'{len(groups)} clips are in the groups {names}, features are of '
            f'{len(labels)} clips. To hold out a group takes two.'
        )
    number = {name: index for index, name in enumerate(names)}
    groups = torch.tensor([number[group] for group in groups], device=labels.device)
    totals = Counter()
    for group in range(len(names)):
        held = groups == group
        others = None
        if training is not None:
            others = training[0][..., ~held, :], training[1][~held]
        figures, _ = probe(
            (features[~held], labels[~held]),
            (features[held], labels[held]),
            others,
            seed,
        )
        for name, value in figures.items():
            totals[name] += value * held.sum().item() / len(labels)
    return dict(totals)


def linear_probe_scores(
    features: Tensor,
    feature_labels: Tensor,
    queries: Tensor,
    seed: int = 0,
    epochs: int = 100,
    batch_size: int = 256,
    lr: float = 0.1,
) -> Tensor:
    """The linear protocol of MAMP on features that are computed once.

    Batch norm without affine, one linear layer (start 0.01), SGD with momentum 0.9,
    no weight decay, cosine learning rate, 100 epochs. Augmentation is that of the
    given features; nothing is chosen by the queries.

    Args:
        features (Tensor): Training features, shape (S, D), or (K, S, D) for K views of
            each clip, of which an epoch takes one, in turn.
        feature_labels (Tensor): Shape (S,).
        queries (Tensor): Test features, shape (Q, D).
        seed (int): Of the start and of the order of the clips.
        epochs (int): Passes over the training clips.
        batch_size (int): Clips a step.
        lr (float): Learning rate for 256 clips a step.

    Returns:
        Tensor: Scores of the queries after the last epoch, shape (Q, classes).
    """
    if features.dim() == 2:
        features = features[None]
    num_views, num_clips, dims = features.shape
    generator = torch.Generator().manual_seed(seed)
    num_classes = int(feature_labels.max()) + 1
    norm = nn.BatchNorm1d(dims, affine=False, eps=1e-6)
    fc = nn.utils.skip_init(nn.Linear, dims, num_classes)
    nn.init.normal_(fc.weight, std=0.01, generator=generator)
    nn.init.zeros_(fc.bias)
    probe = nn.Sequential(norm, fc).to(features.device)
    optimizer = torch.optim.SGD(probe.parameters(), lr=lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    smallest = max(2, min(batch_size, num_clips) // 8)
    for epoch in range(epochs):
        order = torch.randperm(num_clips, generator=generator)
        for index in order.to(features.device).split(batch_size):
            # The statistics of a few clips that are left over would undo a good step.
            if len(index) < smallest:
                continue
            view = (index + epoch) % num_views
            error = F.cross_entropy(probe(features[view, index]), feature_labels[index])
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        scheduler.step()
    with torch.no_grad():
        return probe.eval()(queries)
