"""What TensorFlow does for the training loop.

Steps are taken eagerly, operation by operation, so that a step that is traced is the step that was taken. Dropout draws
from TensorFlow's generator, which is seeded anew before each step: what it gives follows from the step's number alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from repro.digest.draws import seed_of
from repro.registry import resolve
from repro.stages.training.task import Batch, Training
from repro.store.packed import unpack
from repro.trace import Trace
from repro.trace.record_tensorflow import Recorder

Compute = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""``(inputs, labels) -> (loss, scores)``; the loss is a mean over the images."""

_SEEDS = 2**31 - 1  # what NumPy's, Python's and TensorFlow's generators all take


class Gradients:
    """Computes a batch's loss, scores and gradients. Trainers call it for each of their passes.

    Args:
        variables: gives the variables that are trained.
    """

    def __init__(self, variables: Callable[[], Sequence[tf.Variable]]) -> None:
        self.variables = variables

    def __call__(
        self, compute: Compute, inputs: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        """Return loss (scalar), scores, and the gradients in the order of the variables."""
        with tf.GradientTape() as tape:
            loss, scores = compute(inputs, labels)
        return loss, scores, tape.gradient(loss, self.variables())


class TensorFlowBackend:
    """One model and its trainer; the methods are those of :class:`repro.stages.training.task.Backend`."""

    def __init__(self, training: Training, wrap: Callable[[Any], Any] = lambda trainer: trainer) -> None:
        self.training = training
        self._wrap = wrap
        self._seed(f"model/{training.seed}")
        self.model: keras.Model = resolve(training.model.build)()
        self.started: dict[str, Any] = {}
        if training.start is not None:
            assert training.model.start is not None, "the stage has checked it"
            self.started = resolve(training.model.start)(self.model, training.start)
        self.trainer: Any = None

    @property
    def is_first(self) -> bool:
        """One process computes."""
        return True

    def begin_stage(self, settings: dict[str, Any]) -> None:
        """Make a fresh trainer."""
        assert self.training.model.trainer is not None, "the stage has checked it"
        make = resolve(self.training.model.trainer)
        self._seed(f"trainer/{self.training.seed}")
        self.trainer = self._wrap(make(self.model, settings, Gradients(lambda: self.trainer.variables())))

    def step(self, batch: Batch, number: int) -> tuple[float, int]:
        """Do a step."""
        values = self._step(batch, number, nullcontext())
        return float(values["loss"]), int((values["scores"].numpy().argmax(axis=1) == batch.labels).sum())

    def traced_step(self, batch: Batch, number: int) -> Trace:
        """Do the same step and record it."""
        recorder = Recorder()
        recorder.add_all("before/weight", self._variables(), "weight")
        recorder.add("input", batch.inputs, "input")
        values = self._step(batch, number, recorder.layers(self.model, "forward"))
        recorder.add("loss", values["loss"], "loss")
        names = {id(variable): name for name, variable in self._variables().items()}
        pairs = zip(self.trainer.variables(), values["gradients"], strict=True)
        gradients = {names[id(one)]: gradient for one, gradient in pairs if gradient is not None}
        recorder.add_all("gradient", gradients, "gradient")
        recorder.add_all("weight", self._variables(), "weight")
        return recorder.trace()

    def _step(self, batch: Batch, number: int, around: AbstractContextManager[None]) -> dict[str, Any]:
        tf.random.set_seed(seed_of(f"step/{self.training.seed}/{number}") % _SEEDS)  # also empties the kernels' states
        with around:
            values: dict[str, Any] = self.trainer.step(tf.constant(batch.inputs), tf.constant(batch.labels))
        return values

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Tell the trainer."""
        told: dict[str, Any] = self.trainer.epoch_ended(epoch, metrics)
        return told

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of the model's variables by their published names."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Set every variable.

        Raises:
            ValueError: a name or a shape is not the model's.
        """
        for name, variable in self._variables().items():
            variable.assign(weights[name])

    def state(self) -> Any:
        """Return the trainer's state."""
        return self.trainer.state()

    def restore(self, plain: Any, arrays: Mapping[str, np.ndarray]) -> None:
        """Put the trainer's state back."""
        self.trainer.restore(unpack(plain, arrays))

    def scores(self, inputs: Iterable[np.ndarray], settings: dict[str, Any], seed: int) -> np.ndarray:
        """Return the scores of prepared batches."""
        predict = resolve(self.training.model.predict)
        tf.random.set_seed(seed % _SEEDS)
        return np.concatenate([np.asarray(predict(self.model, prepared, settings)) for prepared in inputs])

    def save(self, path: Path) -> Path:
        """Write the published format, which the model declares."""
        assert self.training.model.save is not None, "TensorFlow has no format that fits every model"
        written: Path = resolve(self.training.model.save)(self.model, path)
        return written

    def _variables(self) -> dict[str, tf.Variable]:
        assert self.training.model.variables is not None, "TensorFlow models declare them"
        found: dict[str, tf.Variable] = resolve(self.training.model.variables)(self.model)
        return found

    def _seed(self, name: str) -> None:
        """Seed every generator that initialisers draw from: Keras seeds those without a seed from Python's."""
        keras.utils.set_random_seed(seed_of(name) % _SEEDS)
