"""The forward passes of LHC-Net's evaluation: plain, and the 60 of its test-time augmentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from pipelines.lhc_net.augment_tensorflow import transformed
from pipelines.lhc_net.protocol import UNTOUCHED_WEIGHT, views

_PLAIN_BATCH = 32


def predict(model: keras.Model, inputs: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """Return softmax scores, float32 (n, 7).

    With augmentation it is the mean of weight 62 over 60 passes, summed in float32 in the published order: the
    untouched image three times over, at batches of 32, then each view once (defect L-TTA). One view of one batch is
    held at a time, where the published code holds every view of the whole set.

    Args:
        model: in inference.
        inputs: float32 (n, 224, 224, 3).
        settings: ``augmentation``: ``None``, ``tensorflow-addons`` or ``tensorflow``; ``passes``: how many of the 60.
    """
    plain = np.concatenate(
        [model.predict_on_batch(inputs[start : start + _PLAIN_BATCH]) for start in range(0, len(inputs), _PLAIN_BATCH)]
    )
    way = settings["augmentation"]
    if way is None:
        return plain
    total, weight = np.float32(UNTOUCHED_WEIGHT) * plain, UNTOUCHED_WEIGHT
    images = tf.convert_to_tensor(inputs)
    for view in views()[: settings["passes"] - 1]:
        total = total + model.predict_on_batch(transformed(images, view, way))
        weight += 1
    return total / np.float32(weight)
