"""Training tree and evaluation the straight way: TensorFlow's resize of the whole set, all of it in memory, Pillow.

It follows the authors' scripts step by step: the whole set as float32 RGB, then one category, or one view, after the
other. Tests and benchmarks compare :mod:`pipelines.lhc_net.etl` and :mod:`pipelines.lhc_net.predict_tensorflow` with
it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow import keras

from pipelines.lhc_net.augment_tensorflow import transformed
from pipelines.lhc_net.etl import CATEGORIES, SIZE
from pipelines.lhc_net.protocol import UNTOUCHED_WEIGHT, views


def write_tree(images: np.ndarray, labels: np.ndarray, folder: Path) -> None:
    """Write ``Training/<category>/Images<i>.jpeg`` for images uint8 (n, 48, 48) and labels (n,)."""
    colour = _colour(images)
    for label, category in enumerate(CATEGORIES):
        target = folder / "Training" / category
        target.mkdir(parents=True)
        for index, image in enumerate(colour[labels == label]):
            Image.fromarray(image.astype(np.uint8)).save(target / f"Images{index}.jpeg", subsampling=0, quality=100)


def evaluate(model: keras.Model, images: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """Return softmax scores, float32 (n, 7), of images uint8 (n, 48, 48).

    Each view is made of the whole set at once, eagerly, and predicted at batches of 128.

    Args:
        model: in inference.
        settings: as :func:`pipelines.lhc_net.predict_tensorflow.predict`.
    """
    colour = _colour(images)
    plain: np.ndarray = model.predict(colour, batch_size=32, verbose=0)
    if settings["augmentation"] is None:
        return plain
    total, weight = np.float32(UNTOUCHED_WEIGHT) * plain, UNTOUCHED_WEIGHT
    for view in views()[: settings["passes"] - 1]:
        copy = transformed(tf.convert_to_tensor(colour), view, settings["augmentation"])
        total = total + model.predict(copy, batch_size=128, verbose=0)
        weight += 1
    mean: np.ndarray = total / np.float32(weight)
    return mean


def _colour(images: np.ndarray) -> np.ndarray:
    grey = tf.image.resize(images[..., None].astype(np.float32), SIZE, method="bilinear").numpy()
    colour = np.zeros((len(images), *SIZE, 3), np.float32)
    for index, image in enumerate(grey):
        colour[index] = tf.image.grayscale_to_rgb(tf.convert_to_tensor(image)).numpy()
    return colour
