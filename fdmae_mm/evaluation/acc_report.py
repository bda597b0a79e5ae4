import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from mmaction.evaluation import AccMetric, ConfusionMatrix
from mmaction.registry import METRICS
from scipy.stats import binom

from ..files import written_whole


def accuracy_interval(num_correct: int, num_clips: int) -> tuple[float, float]:
    """95 % bootstrap interval of an accuracy.

    The number of correct clips in a resample is binomial, so the interval is that of
    infinitely many resamples and needs no random numbers.

    Args:
        num_correct (int): Clips that were recognized.
        num_clips (int): Clips.

    Returns:
        tuple[float, float]: Lower and upper end, shares in [0, 1].
    """
    low, high = binom.ppf([0.025, 0.975], num_clips, num_correct / num_clips)
    return low / num_clips, high / num_clips


@METRICS.register_module()
class AccReport(AccMetric):
    """AccMetric with the interval of top-1, and tables of classes as files.

    It logs ``top{k}``, ``mean1`` (mean class accuracy), and with top-1 ``top1_low``
    and ``top1_high``, its 95 % bootstrap interval over clips.

    Args:
        topk (Sequence[int]): Each k of top-k.
        out_dir (str | None): Folder of two tables that are written after each
            evaluation: ``confusion_matrix.csv``, rows are true classes and columns
            predicted ones, and ``per_class.csv``. None: no files.
        collect_device (str): As for AccMetric.
        prefix (str | None): As for AccMetric.
    """

    def __init__(
        self,
        topk: Sequence[int] = (1, 5),
        out_dir: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(
            metric_list='top_k_accuracy',
            metric_options=dict(top_k_accuracy=dict(topk=tuple(topk))),
            collect_device=collect_device,
            prefix=prefix,
        )
        self.out_dir = out_dir

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute the metrics and write the tables.

        Args:
            results (list[dict]): 'pred', scores of shape (classes,), and 'label' of
                each clip.

        Returns:
            dict[str, float]: Shares in [0, 1].
        """
        metrics = super().compute_metrics(results)
        scores = np.stack([result['pred'] for result in results])
        labels = np.array([result['label'] for result in results])
        matrix = ConfusionMatrix.calculate(scores, labels).numpy()
        if 'top1' in metrics:
            # Not the trace of the matrix: it counts equal scores in another order.
            correct = round(metrics['top1'] * len(labels))
            metrics['top1_low'], metrics['top1_high'] = accuracy_interval(
                correct, len(labels)
            )
        metrics['mean1'] = mean_class_accuracy(scores, labels)
        if self.out_dir is not None:
            names = list((self.dataset_meta or {}).get('classes', ()))
            names += [str(label) for label in range(len(names), len(matrix))]
            self._write('confusion_matrix.csv', _confusion_rows(matrix, names))
            self._write('per_class.csv', _class_rows(matrix, names))
        return metrics

    def _write(self, name: str, rows: Iterable[Sequence]) -> None:
        with (
            written_whole(Path(self.out_dir, name)) as part,
            open(part, 'w', newline='', encoding='utf-8') as file,
        ):
            csv.writer(file, lineterminator='\n').writerows(rows)


def mean_class_accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the classes that have clips of their top-1 accuracy.

    MMAction2's takes a class that is predicted and has no clip for one of accuracy 0.

    Args:
        scores: Shape (S, classes).
        labels: Shape (S,).
    """
    correct = scores.argmax(1) == labels
    return float(np.mean([correct[labels == label].mean() for label in set(labels)]))


def _confusion_rows(matrix: np.ndarray, names: list[str]) -> Iterable[Sequence]:
    yield ['true \\ predicted', *names[: len(matrix)]]
    for name, row in zip(names, matrix, strict=False):
        yield [name, *row]


def _class_rows(matrix: np.ndarray, names: list[str]) -> Iterable[Sequence]:
    yield 'label', 'name', 'clips', 'accuracy', 'most_confused_with', 'confused_clips'
    for label, row in enumerate(matrix):
        clips, correct = row.sum(), row[label]
        accuracy = f'{correct / clips:.4f}' if clips else ''
        errors = row.copy()
        errors[label] = 0
        worst = errors.argmax()
        confused = names[worst] if errors[worst] else ''
        yield label, names[label], clips, accuracy, confused, errors[worst]
