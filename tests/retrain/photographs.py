"""Photographs laid out as data sets are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.common.containers import read_container


def as_caer_s(container: Path, root: Path) -> Path:
    """Write a few photographs of FER2013 into folders laid out as CAER-S, whose classes it has, and return ``root``."""
    data = read_container(container)
    names = ("Anger", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
    for usage, folder, each in ((0, "train", 10), (1, "valid", 1)):
        for label, name in enumerate(names):
            rows = np.flatnonzero((data.labels == label) & (data.usages == usage))[:each]
            (root / folder / name).mkdir(parents=True)
            for row in rows:
                Image.fromarray(data.images[row]).save(root / folder / name / f"{row:05d}.png")
    return root
