"""The training tree made the straight way: TensorFlow's resize of the whole set, all of it in memory, Pillow.

It follows the authors' script step by step: the whole set as float32 RGB, then one category after the other. Tests and
the benchmark compare :mod:`pipelines.lhc_net.etl` with it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines.lhc_net.etl import CATEGORIES, SIZE


def write_tree(images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """Write ``Training/<category>/Images<i>.jpeg`` for images uint8 (n, 48, 48) and labels (n,)."""
    grey = tf.image.resize(images[..., None].astype(np.float32), SIZE, method="bilinear").numpy()
    colour = np.zeros((len(images), *SIZE, 3), np.float32)
    for index, image in enumerate(grey):
        colour[index] = tf.image.grayscale_to_rgb(tf.convert_to_tensor(image)).numpy()
    for label, category in enumerate(CATEGORIES):
        target = folder / "Training" / category
        target.mkdir(parents=True)
        for index, image in enumerate(colour[labels == label]):
            Image.fromarray(image.astype(np.uint8)).save(target / f"Images{index}.jpeg", subsampling=0, quality=100)
