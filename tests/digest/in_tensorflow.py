"""Run in the TensorFlow stack: pairs of entries that must be equal, and what must be refused. Prints JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import tensorflow as tf

from repro.digest import tensor_digest
from repro.trace import trace_tensor

VALUES = np.linspace(-3, 3, 210, dtype=np.float32).reshape(5, 6, 7)
BFLOAT16 = tf.bfloat16.as_numpy_dtype


def pairs() -> dict[str, tuple[Any, Any]]:
    """Return a TensorFlow tensor beside the NumPy array that it must agree with."""
    layer = tf.keras.layers.Dense(3)
    layer.build((None, 4))
    with_nan = np.array([1.0, np.nan, -np.inf, -0.0], np.float32)
    return {
        "float32": (tf.constant(VALUES), VALUES),
        "float64": (tf.constant(VALUES, tf.float64), VALUES.astype(np.float64)),
        "float16": (tf.cast(VALUES, tf.float16), VALUES.astype(np.float16)),
        "bfloat16": (tf.cast(VALUES, tf.bfloat16), VALUES.astype(BFLOAT16)),
        "int64": (tf.range(100, dtype=tf.int64), np.arange(100)),
        "uint8": (tf.constant(range(256), tf.uint8), np.arange(256, dtype=np.uint8)),
        "bool": (tf.constant(VALUES > 0), VALUES > 0),
        "complex64": (tf.complex(VALUES, -VALUES), (VALUES - 1j * VALUES).astype(np.complex64)),
        "not finite": (tf.constant(with_nan), with_nan),
        "0-d": (tf.constant(2.5), np.float32(2.5)),
        "empty": (tf.zeros((0, 3)), np.zeros((0, 3), np.float32)),
        "variable": (tf.Variable(VALUES), VALUES),
        "bfloat16 variable": (tf.Variable(tf.cast(VALUES, tf.bfloat16)), VALUES.astype(BFLOAT16)),
        "transposed": (tf.transpose(VALUES), VALUES.T),
        "sliced": (tf.constant(VALUES)[:, 1::2, ::3], VALUES[:, 1::2, ::3]),
        "layer's weight": (layer.kernel, layer.get_weights()[0]),
    }


def refused() -> dict[str, Any]:
    return {
        "sparse": tf.sparse.from_dense(tf.eye(3)),
        "ragged": tf.ragged.constant([[1, 2], [3]]),
        "ragged with equal rows": tf.ragged.constant([[1, 2], [3, 4]]),
        "slices": tf.IndexedSlices(tf.ones((2, 3)), tf.range(2)),
        "text": tf.constant(["text"]),
        "symbolic": tf.keras.Input((3,)),
    }


def message(tensor: Any) -> str:
    try:
        return f"not refused: {tensor_digest(tensor)}"
    except TypeError as error:
        return f"TypeError: {error}"


if __name__ == "__main__":
    entries = {
        name: [trace_tensor(name, each, "value").model_dump(mode="json") for each in pair]
        for name, pair in pairs().items()
    }
    print(json.dumps({"pairs": entries, "refused": {name: message(each) for name, each in refused().items()}}))
