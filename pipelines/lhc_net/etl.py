"""What LHC-Net's scripts make of FER2013: a tree of training JPEGs, and float tensors to evaluate on.

Training images are resized to 224 x 224, cut to whole grey levels and written as JPEG; validation and test images
stay float and are never stored (defect L-SKEW).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from pipelines.common.grey_jpeg import rgb_jpegs
from pipelines.common.resize import resize_bilinear

CATEGORIES = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Neutral")
SIZE = (224, 224)


def training_files(labels: np.ndarray, rows_by_usage: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the row of each file ``Training/<category>/Images<i>.jpeg``; i counts a category's rows in file order."""
    counts: Counter[str] = Counter()
    files = {}
    for row in rows_by_usage.get("Training", ()):
        category = CATEGORIES[labels[row]]
        files[f"Training/{category}/Images{counts[category]}.jpeg"] = int(row)
        counts[category] += 1
    return files


def training_jpegs(images: np.ndarray) -> Iterator[bytes]:
    """Return the JPEG file of each image: 224 x 224, cut and not rounded, three equal channels, quality 100, 4:4:4.

    Args:
        images: uint8 (k, 48, 48).
    """
    return rgb_jpegs(resize_bilinear(images, SIZE).astype(np.uint8))


def evaluation_inputs(images: np.ndarray) -> np.ndarray:
    """Return the network's inputs, float32 (k, 224, 224, 3) in 0..255: resized, three equal channels, nothing else.

    Args:
        images: uint8 (k, 48, 48).
    """
    return np.repeat(resize_bilinear(images, SIZE)[..., None], 3, axis=-1)
