"""Probes on features that are computed once."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from mmaction.models.recognizers import BaseRecognizer
from torch import Tensor, nn

from ..models.heads.classification import pool


@torch.no_grad()
def extract_features(
    model: BaseRecognizer, batches: Iterable[dict]
) -> tuple[Tensor, Tensor]:
    """Pooled encoder features of every clip, in eval mode.

    Args:
        model (BaseRecognizer): Any recognizer with a SkeletonTransformer.
        batches (Iterable[dict]): A data loader with a pipeline of a test.

    Returns:
        tuple[Tensor, Tensor]: Features (S, D), the mean over clips, persons, time and
        joints, and labels (S,).
    """
    model.eval()
    features, labels = [], []
    for batch in batches:
        batch = model.data_preprocessor(batch, training=False)
        samples = batch['data_samples']
        feats, _ = model.extract_feat(batch['inputs'])
        feats = pool(feats).float().unflatten(0, (len(samples), -1)).mean(1)
        features.append(feats)
        labels.append(torch.cat([s.gt_label for s in samples]).to(feats.device))
    return torch.cat(features), torch.cat(labels)


def probe_encoder(
    model: BaseRecognizer,
    train: Iterable[dict],
    test: Iterable[dict],
    seed: int = 0,
) -> dict[str, float]:
    """1-NN and linear accuracy in % of features that are computed once.

    Args:
        model (BaseRecognizer): Any recognizer with a SkeletonTransformer.
        train (Iterable[dict]): Labelled clips, with a pipeline of a test.
        test (Iterable[dict]): Clips to classify.
        seed (int): Of the linear probe.

    Returns:
        dict[str, float]: ``'1nn'`` and ``'linear'``.
    """
    features = (*extract_features(model, train), *extract_features(model, test))
    return {
        '1nn': nearest_neighbor_accuracy(*features),
        'linear': linear_probe_accuracy(*features, seed),
    }


def nearest_neighbor_accuracy(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    labels: Tensor,
    metric: str = 'cosine',
) -> float:
    """Share of queries whose nearest labelled clip has their class.

    Args:
        bank (Tensor): Labelled features, shape (S, D).
        bank_labels (Tensor): Shape (S,).
        queries (Tensor): Shape (Q, D).
        labels (Tensor): Shape (Q,).
        metric (str): ``'cosine'``, or ``'euclidean'`` for raw coordinates.

    Returns:
        float: Top-1 accuracy in %.
    """
    if metric == 'cosine':
        bank, queries = F.normalize(bank, dim=1), F.normalize(queries, dim=1)
    elif metric != 'euclidean':
        raise ValueError(f"metric={metric!r} must be 'cosine' or 'euclidean'.")
    nearest = torch.cdist(queries, bank).argmin(1)
    return 100 * (bank_labels[nearest] == labels).float().mean().item()


def linear_probe_accuracy(
    features: Tensor,
    feature_labels: Tensor,
    queries: Tensor,
    labels: Tensor,
    seed: int = 0,
    epochs: int = 100,
    batch_size: int = 256,
    lr: float = 0.1,
) -> float:
    """The linear protocol of MAMP on features that are computed once.

    Batch norm without affine, one linear layer (start 0.01), SGD with momentum 0.9,
    no weight decay, cosine learning rate, 100 epochs. Augmentation is that of the
    given features; nothing is chosen by the queries.

    Args:
        features (Tensor): Training features, shape (S, D).
        feature_labels (Tensor): Shape (S,).
        queries (Tensor): Test features, shape (Q, D).
        labels (Tensor): Shape (Q,).
        seed (int): Of the start and of the order of the clips.
        epochs (int): Passes over the training features.
        batch_size (int): Clips a step.
        lr (float): Learning rate for 256 clips a step.

    Returns:
        float: Top-1 accuracy in % after the last epoch.
    """
    generator = torch.Generator().manual_seed(seed)
    num_classes = int(max(feature_labels.max(), labels.max())) + 1
    norm = nn.BatchNorm1d(features.shape[1], affine=False, eps=1e-6)
    fc = nn.utils.skip_init(nn.Linear, features.shape[1], num_classes)
    nn.init.normal_(fc.weight, std=0.01, generator=generator)
    nn.init.zeros_(fc.bias)
    probe = nn.Sequential(norm, fc).to(features.device)
    optimizer = torch.optim.SGD(probe.parameters(), lr=lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        order = torch.randperm(len(features), generator=generator)
        for index in order.to(features.device).split(batch_size):
            if len(index) < 2:  # a batch norm needs two
                continue
            error = F.cross_entropy(probe(features[index]), feature_labels[index])
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        scheduler.step()
    with torch.no_grad():
        predicted = probe.eval()(queries).argmax(1)
    return 100 * (predicted == labels).float().mean().item()
