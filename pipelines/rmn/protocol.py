"""How the Residual Masking Network's code prepares images and counts answers.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``utils/datasets/fer2013dataset.py``, ``script/gen_results.py``,
``main_fer2013.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from pipelines.rmn import imagenet
from pipelines.rmn.views import draws, views_of
from repro.schema import Protocol, Samples

cv2.setNumThreads(1)  # one core prepares while another computes


def prepare(images: np.ndarray, settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return network inputs, float32 (n * views, 3, size, size) in [0, 1], without normalisation.

    OpenCV's bilinear resize on uint8, three equal channels, divided by 255. With views it is these that are given,
    image by image, and the image itself is not among them (defect R-TTASIZE).

    Args:
        images: uint8 (n, height, width).
        settings: ``image_size``; ``shorter_side`` of ImageNet's preparation (:mod:`pipelines.rmn.imagenet`) or
            ``None``; for the views see :func:`pipelines.rmn.views.draws`.
        samples: which images these are.
    """
    size = settings["image_size"]
    if settings["shorter_side"] is not None:
        return imagenet.prepare(list(images), settings)
    _, drawn = draws(settings, samples)
    prepared = []
    for number, image in enumerate(images):
        resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
        if drawn:
            prepared.append(views_of(resized, drawn["flips"][number], drawn["degrees"][number]))
        else:
            prepared.append(resized[np.newaxis])
    grey = np.concatenate(prepared).astype(np.float32) / np.float32(255)
    return np.repeat(grey[:, np.newaxis], 3, axis=1)


def rounded(scores: np.ndarray, decimals: int) -> np.ndarray:
    """Return summed scores as ``script/gen_results.py`` stores them: float32, rounded (defect R-ROUND)."""
    return np.round(scores.astype(np.float32), decimals)


def summarise(scores: np.ndarray, labels: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """Return what rounding does to one model's answers, where the protocol rounds (defect R-ROUND).

    Args:
        scores: float32 (n, 7), softmax outputs summed over the views.
        labels: (n,).
        protocol: as declared; ``settings["decimals"]`` is ``None`` where nothing is rounded.
    """
    decimals = protocol.settings["decimals"]
    if decimals is None:
        return {}
    stored = rounded(scores, decimals)
    correct = int((stored.argmax(axis=1) == labels).sum())
    return {
        "rounded_correct": correct,
        "rounding_changes": int((stored.argmax(axis=1) != scores.argmax(axis=1)).sum()),
        "ties": int(((stored == stored.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum()),
        "printed": f"{100 * correct / len(labels):.3f}",
    }


def ensemble(scores: Sequence[np.ndarray], settings: dict[str, Any]) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the unweighted sum of the members' scores, and how many answers hang on rounding.

    Source: ``script/gen_ensemble.py``: stored arrays, rounded where the protocol rounds (R-ROUND), are added in order.

    Args:
        scores: float32 (n, 7) each.
        settings: ``decimals``, or ``None``.
    """
    plain = _sum(scores)
    if settings["decimals"] is None:
        return plain, {}
    stored = _sum([rounded(one, settings["decimals"]) for one in scores])
    ties = ((stored == stored.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum()
    changed = (stored.argmax(axis=1) != plain.argmax(axis=1)).sum()
    return stored, {"ties": int(ties), "rounding_changes": int(changed)}


def _sum(scores: Sequence[np.ndarray]) -> np.ndarray:
    total = np.zeros_like(scores[0])
    for one in scores:
        total = total + one
    return total
