"""What TensorFlow does for the training loop. Steps run eagerly: a graph's draws would follow from its own counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from repro.determinism.seeds import seed_python
from repro.digest.draws import seed_of
from repro.errors import UsageError
from repro.registry import resolve
from repro.stages.training.task import Batch, Training
from repro.store.packed import unpack
from repro.trace import Trace
from repro.trace.record_tensorflow import Recorder

_SEEDS = 2**31 - 1  # what TensorFlow's and NumPy's global seeds take


class Gradients:
    """Computes a batch's loss and its gradients. Trainers call it for each of their passes.

    Args:
        variables: gives the variables that are trained.
    """

    def __init__(self, variables: Callable[[], list[tf.Variable]]) -> None:
        self._variables = variables

    def __call__(self, compute: Callable[..., Any], inputs: tf.Tensor, labels: tf.Tensor) -> tuple[Any, Any, list[Any]]:
        """Return loss (scalar), scores and the gradients in the variables' order."""
        with tf.GradientTape() as tape:
            loss, scores = compute(inputs, labels)
        return loss, scores, tape.gradient(loss, self._variables())


class TensorflowBackend:
    """One model and its trainer; the methods are those of :class:`repro.stages.training.task.Backend`."""

    def __init__(self, training: Training, wrap: Callable[[Any], Any] = lambda trainer: trainer) -> None:
        self.training = training
        self._wrap = wrap
        self._seeded(f"weights/{training.seed}")
        self.model: keras.Model = resolve(training.model.build)()
        self.started: dict[str, Any] = {}
        if training.start is not None:
            assert training.model.start is not None, "the stage has checked it"
            self.started = resolve(training.model.start)(self.model, training.start)
        self.trainer: Any = None

    @staticmethod
    def _seeded(name: str) -> None:
        """Seed what draws globally: TensorFlow, and Python's and NumPy's generators, which Keras asks too."""
        seed = seed_of(name) % _SEEDS
        seed_python(seed)
        tf.random.set_seed(seed)

    @property
    def is_first(self) -> bool:
        """One process computes."""
        return True

    def portion(self, count: int) -> np.ndarray:
        """Return all places."""
        return np.arange(count)

    def shared(self, data: Any) -> Any:
        """Return the data."""
        return data

    def begin_stage(self, settings: dict[str, Any]) -> None:
        """Make a fresh trainer."""
        assert self.training.model.trainer is not None, "the stage has checked it"
        make = resolve(self.training.model.trainer)
        self._seeded(f"trainer/{self.training.seed}")
        self.trainer = self._wrap(make(self.model, settings, Gradients(lambda: self.trainer.variables())))

    def step(self, batch: Batch, number: int) -> tuple[float, int]:
        """Do a step."""
        values = self._step(batch, number, nullcontext())
        right = np.asarray(values["scores"]).argmax(axis=1) == batch.labels
        return float(values["loss"]), int(right.sum())

    def traced_step(self, batch: Batch, number: int) -> Trace:
        """Do the same step and record it."""
        recorder = Recorder()
        recorder.add_all("before/weight", self.weights(), "weight")
        recorder.add("input", batch.inputs, "input")
        values = self._step(batch, number, recorder.layers(self.model, "forward"))
        recorder.add("loss", values["loss"], "loss")
        names = {id(variable): name for name, variable in self.weights().items()}
        pairs = zip(self.trainer.variables(), values["gradients"], strict=True)
        gradients = {names[id(one)]: gradient for one, gradient in pairs if gradient is not None}
        recorder.add_all("gradient", gradients, "gradient")
        recorder.add_all("weight", self.weights(), "weight")
        return recorder.trace()

    def _step(self, batch: Batch, number: int, around: AbstractContextManager[None]) -> dict[str, Any]:
        self._seeded(f"step/{self.training.seed}/{number}")
        with around:
            values: dict[str, Any] = self.trainer.step(tf.constant(batch.inputs), tf.constant(batch.labels))
        return values

    def epoch_ended(self, epoch: int, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Tell the trainer."""
        told: dict[str, Any] = self.trainer.epoch_ended(epoch, metrics)
        return told

    def weights(self) -> dict[str, tf.Variable]:
        """Return the variables by their published names."""
        if self.training.model.variables is None:
            raise UsageError(f"{self.training.model.name}: a TensorFlow model must declare 'variables'")
        found: dict[str, tf.Variable] = resolve(self.training.model.variables)(self.model)
        return found

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Assign the variables."""
        variables = self.weights()
        if variables.keys() != weights.keys():
            raise ValueError(f"other variables: {sorted(variables.keys() ^ weights.keys())}")
        for name, value in weights.items():
            variables[name].assign(value)

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
        """Write the published format."""
        if self.training.model.save is None:
            raise UsageError(f"{self.training.model.name}: a TensorFlow model must declare 'save' to be trained")
        written: Path = resolve(self.training.model.save)(self.model, path)
        return written
