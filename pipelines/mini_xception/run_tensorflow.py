"""Forward pass and training step of mini-Xception."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras


def predict(model: keras.Model, inputs: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """Return softmax scores, float32 (n, 7), of inputs (n, 64, 64, 1)."""
    scores: np.ndarray = model.predict_on_batch(inputs)
    return scores


def training(model: keras.Model, settings: dict[str, Any]) -> Callable[[np.ndarray, np.ndarray], dict[str, Any]]:
    """Return a function that does one step of Adam on the cross-entropy; see :class:`repro.schema.Model`."""
    optimizer = keras.optimizers.Adam(settings["learning_rate"])
    loss_of = keras.losses.CategoricalCrossentropy()

    def step(inputs: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            scores = model(inputs, training=True)
            loss = loss_of(tf.one_hot(labels, scores.shape[-1]), scores)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return {"loss": loss, "scores": scores, "gradients": gradients}

    return step
