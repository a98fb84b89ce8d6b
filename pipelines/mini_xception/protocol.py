"""How the package fer prepares a face for mini-Xception."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.common.resize import resize_bilinear
from repro.schema import Protocol, Samples

_HALF = np.float32(0.5)


def prepare(images: np.ndarray, settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return network inputs, float32 (n, 64, 64, 1) in [-1, 1].

    Bilinear with half-pixel centres in single precision, rounded to whole grey levels as a resize on bytes gives
    them, then ``(x / 255 - 0.5) * 2``.

    Args:
        images: uint8 (n, height, width).
        settings, samples: not asked for.
    """
    resized = np.rint(resize_bilinear(images, (64, 64)))
    return ((resized / np.float32(255) - _HALF) * np.float32(2))[..., np.newaxis]


def summarise(scores: np.ndarray, labels: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """Return nothing: the publishers print an accuracy, and no script of theirs computes it."""
    return {}
