"""One training step of LHC-Net's models by their published recipes, in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

Step = Callable[[np.ndarray, np.ndarray], dict[str, Any]]


def optimizer_of(settings: dict[str, Any]) -> keras.optimizers.Optimizer:
    """Return a recipe's optimiser; SGD is without momentum."""
    if settings["optimizer"] == "SGD":
        return keras.optimizers.SGD(settings["learning_rate"])
    first, second = settings["betas"]
    return keras.optimizers.Adam(settings["learning_rate"], first, second, settings["epsilon"])


def training(model: keras.Model, settings: dict[str, Any]) -> Step:
    """Return a function that does one step on the categorical cross-entropy.

    Args:
        model: changed in place; where the recipe says ``trained``, only variables whose path begins so.
        settings: the recipe (:mod:`pipelines.lhc_net.recipe`).

    Returns:
        ``step(inputs, labels)`` returns ``loss`` (scalar), ``scores`` (softmax, (N, 7)) and ``gradients`` in the
        order of ``model.trainable_variables``.
    """
    if "trained" in settings:
        for layer in model.layers:
            layer.trainable = layer.name.startswith(settings["trained"])
    optimizer = optimizer_of(settings)
    loss_of = keras.losses.CategoricalCrossentropy()

    def step(inputs: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            scores = model(inputs, training=True)
            loss = loss_of(tf.one_hot(labels, scores.shape[-1]), scores)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return {"loss": loss, "scores": scores, "gradients": gradients}

    return step
