"""What is watched of a split after an epoch, and which epoch a selection takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from repro.digest.draws import seed_of
from repro.schema import Metric, Protocol, settings_of
from repro.stages.prepare import Feed, Watched
from repro.stages.training.task import Backend, Training

_LEAST = 1e-12  # below it a probability counts as this much, so that a wrong certainty has a loss


def split_scores(
    training: Training, backend: Backend, split: str, protocol: Protocol, preparation: int, draws: int
) -> np.ndarray:
    """Return the scores of a split, float32 (n, classes).

    Args:
        preparation, draws: seeds of what the preparation and the forward passes draw.
    """
    rows = training.rows(split)
    feed = Feed.of(training.system, training.model, protocol, training.images, rows, preparation)
    return backend.scores(Watched(feed, protocol.batch), settings_of(protocol, training.model), draws)


def watched_metrics(training: Training, backend: Backend, epoch: int) -> dict[str, dict[str, float]]:
    """Return the metrics of every split that the recipe watches, by split."""
    protocol = training.system.protocol(training.recipe.protocol)
    found = {}
    for split in training.recipe.watched:
        seed = seed_of(f"watch/{training.seed}/{epoch}/{split}")
        scores = split_scores(training, backend, split, protocol, seed, seed)
        labels = training.data.labels(training.rows(split)).astype(np.int64)
        found[split] = metrics(scores, labels, protocol.batch, logits=training.model.answers == "logits")
    return found


def metrics(scores: np.ndarray, labels: np.ndarray, batch: int, *, logits: bool = False) -> dict[str, float]:
    """Return every :data:`repro.schema.Metric` of scores that are probabilities up to a factor, or logits."""
    right = scores.argmax(axis=1) == labels
    shares = scores.astype(np.float64)
    if logits:
        shares = np.exp(shares - shares.max(axis=1, keepdims=True))
    shares = shares[np.arange(len(labels)), labels] / shares.sum(axis=1)
    batches = [float(right[start : start + batch].mean()) for start in range(0, len(right), batch)]
    return {
        "accuracy": int(right.sum()) / len(right),
        "accuracy of batches": sum(batches) / len(batches),
        "loss": float(-np.log(np.maximum(shares, _LEAST)).mean()),
    }


def is_better(metric: Metric, value: float, before: float | None) -> bool:
    """Whether a value is strictly better than the best before it."""
    if before is None:
        return True
    return value < before if metric == "loss" else value > before


def tested(training: Training, backend: Backend) -> dict[str, Any]:
    """Return the right answers on the test split by each of the recipe's protocols: one count for each of its seeds.

    They are what ``repro eval`` counts of the saved checkpoint.
    """
    labels = training.data.labels(training.rows(training.recipe.test)).astype(np.int64)
    found = {}
    for name in training.recipe.test_protocols:
        protocol = training.system.protocol(name)
        counts = []
        for seed in protocol.seeds or (0,):
            scores = split_scores(training, backend, training.recipe.test, protocol, seed, seed)
            counts.append(int((scores.argmax(axis=1) == labels).sum()))
        found[name] = {"n": len(labels), "counts": counts}
    return found
