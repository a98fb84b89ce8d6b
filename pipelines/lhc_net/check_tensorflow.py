"""LHC-Net's own check as TensorFlow runs it: stage 1 of ResNet34_Train for one epoch, step by step.

``check_rep.py`` calls Keras' ``fit``. Here each step is taken by itself, so that it can be traced and taken up again,
with the bits of ``fit``: the same generator, of which one batch is thrown away first; the same shuffle of its batches;
the same compiled function, fed with batches of unknown shape.

What a step depends on can be read and set again, but for the places of the dropouts' generators, which TensorFlow keeps
inside its kernels. They move by the shape of what they fill: a resumed run moves them on with steps on tiny images,
whose other effects are then overwritten.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.lhc_net.etl import CATEGORIES, SIZE, evaluation_inputs
from pipelines.lhc_net.model_tensorflow import resnet34v2
from repro.schema import PaperTask
from repro.trace.keyed import CONTRACT_SALT, keyed_tensor
from repro.trace.resumable import ResumableRun, Saved

_TINY = (32, 32)
_BATCHES_TOGETHER = 8
_SPECIFICATION = (tf.TensorSpec([None] * 4, tf.float32), tf.TensorSpec([None] * 2, tf.float32))


def run(task: PaperTask, traced: ResumableRun) -> dict[str, Any]:
    """Run the check, or its first steps, and return what is told of it beside the trace.

    The trace holds the order of the batches, the initial weights, each step's inputs, labels and loss, the first
    step's gradients, and at the end the weights; after the last step also the scores on PublicTest and their loss.
    """
    settings = task.settings
    seed_as_published(settings["seeds"])
    batches = generator(task)
    model = built(task)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(settings["learning_rate"]),
        loss="categorical_crossentropy",
        metrics=["categorical_accuracy"],
    )
    epoch = _Epoch(model, batches)
    steps = len(batches) if task.steps is None else min(task.steps, len(batches))
    saved = traced.resumed()
    if saved is None:
        traced.add_all("initial", _weights(model), "weight")
    else:
        epoch.resume(saved)
    for number in range(epoch.done + 1, steps + 1):
        told = epoch.step()
        if number == 1:
            traced.add("order", np.array(epoch.order, np.int64), "order of batches")
        traced.add(f"step{number}/input", epoch.last[0], "input")
        traced.add(f"step{number}/labels", epoch.last[1], "labels")
        traced.add(f"step{number}/loss", told["loss"], "loss")
        if number == 1:
            gradients = zip(model.trainable_variables, told["gradients"], strict=True)
            traced.add_all("step1/gradient", {one.name: gradient for one, gradient in gradients}, "gradient")
        traced.save(number, epoch.state)
        traced.progress(number, steps)
    traced.add_all("weight", _weights(model), "weight")
    if steps == len(batches):
        _validate(task, model, traced)
    return {"steps": steps, "of": len(batches), "images": batches.n}


def seed_as_published(seeds: dict[str, int]) -> None:
    """Seed the three generators that the program draws from."""
    tf.random.set_seed(seeds["tensorflow"])
    random.seed(seeds["python"])
    np.random.seed(seeds["numpy"])


def generator(task: PaperTask) -> Any:
    """Return Keras' iterator over the tree's training images, with augmentation, as published."""
    images = tf.keras.preprocessing.image.ImageDataGenerator(rescale=None, **task.settings["generator"])
    return images.flow_from_directory(
        task.tree / "Training",
        target_size=SIZE,
        color_mode="rgb",
        classes=list(CATEGORIES),
        class_mode="categorical",
        batch_size=task.settings["batch"],
    )


class TracedModel(tf.keras.Model):
    """A model whose training step is Keras' own and also returns the loss and the gradients of its batch."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """Do what ``tf.keras.Model.train_step`` does; metrics are not computed."""
        inputs, labels = data
        with tf.GradientTape() as tape:
            scores = self(inputs, training=True)
            loss = self.compute_loss(inputs, labels, scores)
        gradients = self.optimizer.compute_gradients(loss, self.trainable_variables, tape)  # what minimize() does
        self.optimizer.apply_gradients(gradients)
        return {"loss": loss, "gradients": [gradient for gradient, _ in gradients]}


def built(task: PaperTask) -> TracedModel:
    """Return ResNet34v2 under the authors' head, the backbone with ImageNet weights or keyed ones.

    The layers are made in the authors' order: those without a seed draw theirs from Python's generator (L-VERSIONS).
    """
    model = resnet34v2()
    backbone = tf.keras.Model(model.input, model.get_layer("pool1").input)
    if task.weights is not None:
        backbone.load_weights(task.weights)
    else:
        for variable in backbone.variables:
            name, shape = variable.name.partition(":")[0], tuple(variable.shape)
            variable.assign(keyed_tensor(name, shape, CONTRACT_SALT, "hwio"))
    return TracedModel(model.input, model.output)


class _Epoch:
    """One epoch of ``fit``, a step at a time.

    Attributes:
        done: how many steps were taken.
        order: of the batches; empty before the first step.
        last: inputs and labels of the last step.
    """

    def __init__(self, model: TracedModel, batches: Any) -> None:
        self._model, self._batches = model, batches
        self.done, self.order = 0, list[int]()
        self.last: tuple[np.ndarray, np.ndarray] = batches[0]  # fit looks at the first batch, then draws it anew
        self._function = model.make_train_function()
        self._source = _iterator(self._drawn)

    def step(self) -> dict[str, Any]:
        """Take the next step and return its loss and gradients."""
        told: dict[str, Any] = self._function(self._source)
        self.done += 1
        return told

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what the next step depends on."""
        drawn = np.random.get_state(legacy=False)
        version, internal, gauss_next = random.getstate()
        arrays = {f"{place:04d}": variable.numpy() for place, variable in enumerate(self._variables())}
        told = {
            "order": self.order,
            "numpy": {**drawn, "state": {**drawn["state"], "key": drawn["state"]["key"].tolist()}},
            "python": [version, internal, gauss_next],
        }
        return arrays, told

    def resume(self, saved: Saved) -> None:
        """Go to where another process stood after a step."""
        self.order = saved.told["order"]
        size, images = self._batches.batch_size, self._batches.n
        sizes = [min(size, images - index * size) for index in self.order]
        tiny = _iterator(lambda: map(_tiny, sizes))
        for _ in range(saved.step):
            self._function(tiny)
        for place, variable in enumerate(self._variables()):
            variable.assign(saved.arrays[f"{place:04d}"])
        drawn = saved.told["numpy"]
        np.random.set_state({**drawn, "state": {**drawn["state"], "key": np.array(drawn["state"]["key"], np.uint32)}})
        version, internal, gauss_next = saved.told["python"]
        random.setstate((version, tuple(internal), gauss_next))
        self.done = saved.step

    def _drawn(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if not self.order:
            self.order = list(range(len(self._batches)))
            random.shuffle(self.order)
        while self.done < len(self.order):
            self.last = self._batches[self.order[self.done]]
            yield self.last

    def _variables(self) -> list[tf.Variable]:
        return [*self._model.variables, *self._model.optimizer.variables]


def _iterator(batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]) -> Any:
    """Return an iterator for the training function that draws a batch when it is asked for one, and not before."""
    dataset = tf.data.Dataset.from_generator(batches, output_signature=_SPECIFICATION)
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    return iter(dataset.with_options(options))


def _tiny(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((count, *_TINY, 3), np.float32), np.eye(len(CATEGORIES), dtype=np.float32)[[0] * count]


def _weights(model: TracedModel) -> dict[str, tf.Variable]:
    return {variable.name: variable for variable in model.variables}


def _validate(task: PaperTask, model: TracedModel, traced: ResumableRun) -> None:
    size = task.settings["validation_batch"]
    scores = []
    for start in range(0, len(task.rows), size * _BATCHES_TOGETHER):  # whole batches: the same bits as all at once
        inputs = evaluation_inputs(np.asarray(task.images[task.rows[start : start + size * _BATCHES_TOGETHER]]))
        scores.append(model.predict(inputs, batch_size=size, verbose=0))
    together = np.concatenate(scores)
    labels = np.eye(len(CATEGORIES), dtype=np.float32)[task.labels[task.rows]]
    traced.add("validation/scores", together, "scores")
    traced.add("validation/loss", tf.keras.losses.CategoricalCrossentropy()(labels, together), "loss")
