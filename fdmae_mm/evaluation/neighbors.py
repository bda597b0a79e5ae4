"""Protocols that compare features by cosine and train nothing."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..models.heads.classification import KNNHead

#: Queries that are compared at once: their cosines with 50 000 clips take 200 MB.
CHUNK = 1024


def top1_accuracy(scores: Tensor, labels: Tensor) -> float:
    """Share in % of clips whose class has the highest score: (Q, classes), (Q,)."""
    return 100 * (scores.argmax(1) == labels).float().mean().item()


def knn_scores(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    k: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    """Weighted vote of the nearest labelled clips, as :class:`KNNHead` counts it.

    Args:
        bank (Tensor): Labelled features, shape (S, D).
        bank_labels (Tensor): Shape (S,).
        queries (Tensor): Shape (Q, D).
        k (int): Neighbours, at most S.
        temperature (float): Of the weights exp(cosine / temperature).

    Returns:
        Tensor: Votes, sum 1, shape (Q, classes).

    Raises:
        ValueError: ``k`` is larger than S.
    """
    head = KNNHead(int(bank_labels.max()) + 1, bank.shape[1], k, temperature)
    head.fill(F.normalize(bank, dim=1), bank_labels)
    votes = [head(chunk[:, None, :, None, None]) for chunk in queries.split(CHUNK)]
    return torch.cat(votes)


def nearest_neighbor_scores(
    bank: Tensor, bank_labels: Tensor, queries: Tensor
) -> Tensor:
    """1 for the class of the clip that is nearest in space, 0 for the others.

    For raw coordinates; of features the nearest is that of :func:`knn_scores`.

    Args:
        bank (Tensor): Labelled coordinates, shape (S, D).
        bank_labels (Tensor): Shape (S,).
        queries (Tensor): Shape (Q, D).

    Returns:
        Tensor: Shape (Q, classes).
    """
    nearest = [torch.cdist(chunk, bank).argmin(1) for chunk in queries.split(CHUNK)]
    return one_hot(bank_labels[torch.cat(nearest)], bank_labels)


def one_hot(predicted: Tensor, bank_labels: Tensor) -> Tensor:
    """Classes (Q,) as scores (Q, classes) of those that the labels have."""
    return F.one_hot(predicted, int(bank_labels.max()) + 1).float()


def retrieval_map(
    gallery: Tensor, gallery_labels: Tensor, queries: Tensor, labels: Tensor
) -> float:
    """Mean average precision of retrieval: clips of the query's class come first.

    The gallery is sorted by cosine; the average precision of a query is the mean, over
    the clips of its class, of the precision at their rank. A query whose class the
    gallery lacks counts as 0, as it does for a nearest neighbour.

    Args:
        gallery (Tensor): Features, shape (S, D).
        gallery_labels (Tensor): Shape (S,).
        queries (Tensor): Shape (Q, D).
        labels (Tensor): Shape (Q,).

    Returns:
        float: Mean average precision in %.
    """
    gallery, queries = F.normalize(gallery, dim=1), F.normalize(queries, dim=1)
    rank = torch.arange(1, len(gallery) + 1, device=gallery.device)
    precisions = []
    # Sorted, looked up and counted, a cosine takes 14 times its bytes.
    size = max(1, CHUNK // 16)
    for chunk, label in zip(queries.split(size), labels.split(size), strict=True):
        order = (chunk @ gallery.T).argsort(dim=1, descending=True)
        hit = gallery_labels[order] == label[:, None]  # (chunk, S)
        precision = hit * hit.cumsum(1) / rank
        precisions.append(precision.sum(1) / hit.sum(1).clamp(min=1))
    return 100 * torch.cat(precisions).mean().item()


def check_few_shot(ways: int, shots: int, queries: int) -> None:
    """Checks the size of a few-shot episode, before features are computed for it.

    Raises:
        ValueError: There would be nothing to tell apart, to learn from or to classify.
    """
    for name, value, least in (
        ('ways', ways, 2),
        ('shots', shots, 1),
        ('queries', queries, 1),
    ):
        if value < least:
            raise ValueError(
                f'{name}={value} of a few-shot episode must be at least {least}.'
            )


def few_shot_accuracy(
    features: Tensor,
    labels: Tensor,
    ways: int,
    shots: int,
    episodes: int = 600,
    queries: int = 15,
    classes: Sequence[int] | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Few-shot episodes: nearest class mean by cosine.

    An episode draws ``ways`` classes, and of each ``shots`` labelled clips and
    ``queries`` others to classify (`Prototypical networks
    <https://arxiv.org/abs/1703.05175>`_, on features of unit length). The classes must
    not have been seen in pre-training: see ``classes`` of :class:`SkeletonDataset`.

    Args:
        features (Tensor): Shape (S, D).
        labels (Tensor): Shape (S,).
        ways (int): Classes of an episode, at least 2.
        shots (int): Labelled clips of each, at least 1.
        episodes (int): Episodes.
        queries (int): Clips of each class to classify, at least 1.
        classes (Sequence[int] | None): Labels to draw from. None: all.
        seed (int): Of the episodes.

    Returns:
        tuple[float, float]: Mean accuracy in %, and half the width of its 95 % interval
        over episodes.

    Raises:
        ValueError: An episode is too small, or there are too few classes for it, or too
            few clips of one.
    """
    check_few_shot(ways, shots, queries)
    classes = labels.unique().tolist() if classes is None else sorted(set(classes))
    if len(classes) < ways:
        raise ValueError(f'{ways} ways are asked of {len(classes)} classes: {classes}.')
    members = [(labels == label).nonzero().flatten() for label in classes]
    for label, clips in zip(classes, members, strict=True):
        if len(clips) < shots + queries:
            raise ValueError(
                f'Class {label} has {len(clips)} clips, an episode needs {shots} shots '
                f'and {queries} queries of it. Ask for fewer, or leave it out of '
                'classes.'
            )
    features = F.normalize(features, dim=1)
    generator = torch.Generator().manual_seed(seed)
    truth = torch.arange(ways, device=features.device)[:, None]
    accuracies = []
    for _ in range(episodes):
        drawn = []
        for chosen in torch.randperm(len(members), generator=generator)[:ways]:
            order = torch.randperm(len(members[chosen]), generator=generator)
            drawn.append(members[chosen][order[: shots + queries]])
        support, query = features[torch.stack(drawn)].split((shots, queries), dim=1)
        prototype = F.normalize(support.mean(1), dim=1)  # (ways, D)
        predicted = (query @ prototype.T).argmax(2)  # (ways, queries)
        accuracies.append((predicted == truth).float().mean())
    accuracy = 100 * torch.stack(accuracies)
    interval = 1.96 * accuracy.std() / episodes**0.5
    return accuracy.mean().item(), interval.item()
