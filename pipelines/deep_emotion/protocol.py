"""How Deep-Emotion prepares images and counts answers (``generate_data.py``, ``visualize.py`` upstream)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.common.jpeg import jpeg_round_trip
from repro.schema import Protocol, Samples

_HALF = np.float32(0.5)


def prepare(images: np.ndarray, settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return network inputs, float32 (n, 1, 48, 48) in [-1, 1].

    Args:
        images: uint8 (n, 48, 48).
        settings: ``jpeg_quality``: pass each image through JPEG as the published setup does (defect
            D-JPEG), or ``None`` to leave it out.
        samples: not asked for; nothing is drawn.
    """
    quality = settings["jpeg_quality"]
    if quality is not None:
        images = jpeg_round_trip(images, quality)
    # ToTensor, then Normalize(0.5, 0.5): the same three single-precision operations in the same order.
    scaled = images.astype(np.float32) / np.float32(255)
    return ((scaled - _HALF) / _HALF)[:, np.newaxis]


def summarise(scores: np.ndarray, labels: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """Return what the published evaluation prints, where the protocol keeps its formula (defect D-LAST).

    Each batch scores ``1 - wrong / batch``, the last and smaller one too; the batches' mean is printed in
    per cent, cut to an integer.

    Args:
        scores: float32 (n, 7), one run's softmax outputs in file order.
        labels: (n,).
        protocol: as declared; the formula is used where ``settings["accuracy"]`` is ``mean of batches``.
    """
    if protocol.settings["accuracy"] != "mean of batches":
        return {}
    wrong = scores.argmax(axis=1) != labels
    batch = protocol.batch
    shares = [1.0 - int(wrong[start : start + batch].sum()) / batch for start in range(0, len(wrong), batch)]
    mean = sum(shares) / len(shares)
    return {"published_mean": mean, "printed": f"{int(100 * mean)}"}
