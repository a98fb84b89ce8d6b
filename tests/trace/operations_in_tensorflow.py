"""Run in the TensorFlow stack: ``FOLDER``. Two networks apart by one ulp of one weight, seen operation by operation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from repro.trace.operations_tensorflow import OperationRecorder

tf.config.experimental.enable_op_determinism()
PLANTED = "dense/kernel:0"


def network(planted: bool) -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(4, 3, name="conv", input_shape=(8, 8, 1)),
        keras.layers.Flatten(name="flat"),
        keras.layers.Dense(7, name="dense"),
    ]
    model = keras.Sequential(layers)
    if planted:
        kernel = model.get_layer("dense").kernel
        values = kernel.numpy()
        values[2, 5] = np.nextafter(values[2, 5], np.float32(np.inf))
        kernel.assign(values)
    return model


def seen(planted: bool, keep: str | None = None, phase: str = "forward") -> tuple[OperationRecorder, list[np.ndarray]]:
    model = network(planted)
    variables = {variable.name: variable for variable in model.variables}
    recorder = OperationRecorder(phase, variables=variables, keep=keep)
    inputs = tf.reshape(tf.linspace(-1.0, 1.0, 128), (2, 8, 8, 1))
    with recorder.layers(model, "forward"), tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(inputs)))
        gradients = tape.gradient(loss, model.trainable_variables)
    return recorder, [gradient.numpy() for gradient in gradients]


def plain() -> list[np.ndarray]:
    model = network(False)
    inputs = tf.reshape(tf.linspace(-1.0, 1.0, 128), (2, 8, 8, 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(inputs)))
    return [gradient.numpy() for gradient in tape.gradient(loss, model.trainable_variables)]


sound, gradients = seen(False)
told: dict[str, Any] = {
    "same gradients": all(a.tobytes() == b.tobytes() for a, b in zip(gradients, plain(), strict=True)),
    "other phase": len(seen(False, phase="contract")[0].operations.trace().entries),
    "reads": sound.operations.reads,
}
folder = Path(sys.argv[1])
for name, planted in (("sound", False), ("planted", True)):
    recorder, _ = seen(planted, keep=next(e.name for e in sound.operations.trace() if e.name.endswith(PLANTED)))
    (folder / name).mkdir()
    recorder.operations.write(folder / name)
print(json.dumps(told))
