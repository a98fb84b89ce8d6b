"""What scores come to: counts of right answers, their interval, the confusion matrix, scores of each class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from repro.compare.class_scores import ClassMeans, class_scores
from repro.compare.counts import wilson_interval
from repro.digest import tensor_digest
from repro.errors import BadInput
from repro.schema import Protocol, Split
from repro.stages.data import StoredData

_SHOWN = 100
"""Most classes of which a record holds the confusion matrix; of more it holds the scores alone."""


def count_answers(
    runs: list[np.ndarray],
    labels: np.ndarray,
    *,
    protocol: Protocol,
    classes: tuple[str, ...],
    seen: np.ndarray,
    summarise: Callable[[np.ndarray, np.ndarray, Protocol], dict[str, Any]],
) -> dict[str, Any]:
    """Return the counts of an evaluation as a record's result holds them.

    Args:
        runs: scores of each run, (n, classes).
        labels: (n,), int64.
        protocol: whose seeds the runs have.
        classes: what the labels mean.
        seen: which images also occur in training, bool (n,).
        summarise: tells of a run's scores what the published code prints; see :class:`repro.schema.System`.

    Raises:
        BadInput: scores are no numbers.
    """
    entries = []
    for run, scores in enumerate(runs):
        if not np.isfinite(scores).all():
            unusable = int((~np.isfinite(scores)).any(axis=1).sum())
            raise BadInput(
                f"run {run}: {unusable} images have scores that are no numbers",
                next_step="check the checkpoint's weights for NaN",
            )
        predictions = scores.argmax(axis=1)
        right = predictions == labels
        entries.append(
            {
                "seed": protocol.seeds[run] if protocol.seeds else None,
                "correct": int(right.sum()),
                "unseen_correct": int(right[~seen].sum()),
                "top5_correct": int(among_first(scores, labels, 5).sum()),
                "predictions": tensor_digest(predictions.astype(np.int64)),
                **summarise(scores, labels, protocol),
            }
        )
    first, n = entries[0], len(labels)
    correct = first["correct"]
    low, high = wilson_interval(correct, n)
    counts = sorted(entry["correct"] for entry in entries)
    confusion = confusion_matrix(runs[0].argmax(axis=1), labels, max(len(classes), runs[0].shape[1]))
    scores_of_classes = class_scores(confusion, classes)
    return {
        "correct": correct,
        "n": n,
        "accuracy": correct / n,
        "interval": [low, high],
        "top5_correct": first["top5_correct"],
        "predictions": first["predictions"],
        "confusion": confusion.tolist() if len(confusion) <= _SHOWN else [],
        "classes": [score.model_dump() for score in scores_of_classes],
        "means": ClassMeans.of(scores_of_classes).model_dump(),
        "unseen": {"correct": first["unseen_correct"], "n": int((~seen).sum())},
        "runs": entries,
        "spread": {
            "runs": len(entries),
            "minimum": counts[0],
            "maximum": counts[-1],
            "mean": sum(counts) / len(counts),
        },
    }


def seen_in_training(data: StoredData, split: Split) -> np.ndarray:
    """Return which images of a split occur, to the pixel, among training rows outside it (F-DUP), bool (n,)."""
    known = set(data.contents(data.training_rows_outside(split)))
    return np.array([content in known for content in data.contents(data.rows(split))])


def among_first(scores: np.ndarray, labels: np.ndarray, places: int) -> np.ndarray:
    """Return for which images fewer than ``places`` classes score higher than the true one, bool (n,)."""
    true = np.take_along_axis(scores, labels[:, np.newaxis], axis=1)
    return (scores > true).sum(axis=1) < places


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return how often each class (rows) was given each answer (columns), int64 (classes, classes)."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix
