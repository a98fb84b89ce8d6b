"""The image folders that Deep-Emotion's setup writes: 48 x 48 grey JPEGs of Pillow's default quality.

The validation images are the first 3,589 training rows (defect D-SPLIT), cut off without touching the source. The
test images are those of the competition's test file, PublicTest and then PrivateTest. The evaluation script looks
for them under another name (D-NAMES); they have the one under which they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from pipelines.common.jpeg import grey_jpeg

NUM_VALIDATION = 3589


def folders(labels: np.ndarray, rows_by_usage: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the row of each file ``{train,val,test}/<the same><i>.jpg``; i counts a folder's rows from 0."""
    none = np.empty(0, np.int64)
    training, public, private = (rows_by_usage.get(usage, none) for usage in ("Training", "PublicTest", "PrivateTest"))
    parts = {
        "train": training[NUM_VALIDATION:],
        "val": training[:NUM_VALIDATION],
        "test": np.concatenate([public, private]),
    }
    return {f"{name}/{name}{i}.jpg": int(row) for name, rows in parts.items() for i, row in enumerate(rows)}


def jpegs(images: np.ndarray) -> Iterator[bytes]:
    """Yield the grey JPEG file, quality 75, of each image; images uint8 (k, 48, 48)."""
    return map(grey_jpeg, images)
