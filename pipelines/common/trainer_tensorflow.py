"""What most TensorFlow trainers have in common: an optimiser whose state is saved with what its schedule keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow import keras

Backward = Callable[[Callable[..., Any], tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]]
"""``backward(compute, inputs, labels) -> (loss, scores, gradients)``, in the order of the trainer's ``variables()``.

``compute(inputs, labels) -> (loss, scores)``: the mean loss.
"""


class Trainer:
    """Does the steps of a recipe. Subclasses give :meth:`compute`, and override what their recipe does otherwise.

    Args:
        model: changed in place; what is frozen is frozen already.
        backward: see :data:`Backward`.
        optimizer: a Keras optimiser.
    """

    def __init__(self, model: keras.Model, backward: Backward, optimizer: keras.optimizers.Optimizer) -> None:
        self.model, self.backward, self.optimizer = model, backward, optimizer
        self.optimizer.build(self.variables())

    def compute(self, inputs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean loss and the scores."""
        raise NotImplementedError

    def variables(self) -> list[tf.Variable]:
        """Return what is trained."""
        variables: list[tf.Variable] = self.model.trainable_variables
        return variables

    def step(self, inputs: tf.Tensor, labels: tf.Tensor) -> dict[str, Any]:
        """Do one step; return ``loss`` (scalar), ``scores`` (N, classes) and ``gradients`` in the variables' order."""
        loss, scores, gradients = self.backward(self.compute, inputs, labels)
        self.optimizer.apply_gradients(zip(gradients, self.variables(), strict=True))
        return {"loss": loss, "scores": scores, "gradients": gradients}

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Return the learning rate; ``stop`` is why the stage ends here, or ``None``.

        Args:
            epoch: of the stage, from 0.
            metrics: of each watched split: ``accuracy``, ``accuracy of batches``, ``loss``.
        """
        return {"learning rate": float(self.optimizer.learning_rate), "stop": None}

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on beside the model's weights."""
        return {"optimizer": [variable.numpy() for variable in self.optimizer.variables]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put it back."""
        for variable, value in zip(self.optimizer.variables, state["optimizer"], strict=True):
            variable.assign(value)
