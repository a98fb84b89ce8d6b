"""Records what a Keras model computes operation by operation, while it computes it eagerly.

As :mod:`repro.trace.operations_torch`: every TensorFlow operation of one phase is seen, forward pass, gradients and
optimiser. The weights are recorded first, since operations read them unseen. TensorFlow calls back after each operation
that runs outside a graph (``tensorflow/python/framework/op_callbacks.py``, which its own debugger uses).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow import keras
from tensorflow.python.framework import op_callbacks

from repro.trace.operations import SeenOperations, defined
from repro.trace.record_tensorflow import Recorder

_MAKES_NOTHING = frozenset(
    {
        "ExpandDims",
        "Identity",
        "IdentityN",
        "ReadVariableOp",
        "Reshape",
        "Shape",
        "ShapeN",
        "Size",
        "Squeeze",
        "StopGradient",
    }
)
"""Operations that hand on what they read, or tell its shape."""


class OperationRecorder(Recorder):
    """A recorder that also sees operations.

    Args:
        phase, keep: as for :class:`repro.trace.operations_torch.OperationRecorder`.
        variables: the model's, by name.
    """

    def __init__(self, phase: str, *, variables: Mapping[str, tf.Variable], keep: str | None = None) -> None:
        super().__init__()
        self._phase = phase
        self._variables = variables
        self.operations = SeenOperations(keep)

    def add(self, name: str, tensor: Any, operation: str) -> None:
        """Record one tensor; what this computes is no operation of the model."""
        with self.operations.shut():
            super().add(name, tensor, operation)

    @contextmanager
    def layers(self, model: keras.Model, prefix: str) -> Iterator[None]:
        """Record layers, and in the wanted phase operations too."""
        with super().layers(model, prefix):
            if prefix != self._phase:
                yield
                return
            for name, variable in self._variables.items():
                self._see(f"weight {name}", variable.read_value(), "weight", [])
            op_callbacks.add_op_callback(self._called_back)
            try:
                yield
            finally:
                op_callbacks.remove_op_callback(self._called_back)

    def _called_back(
        self, op_type: str | bytes, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        kind = tf.compat.as_str(op_type)  # some of TensorFlow's ways to run an operation give bytes
        if self.operations.closed or graph is not None or kind in _MAKES_NOTHING:
            return
        with self.operations.shut():
            made = [one for one in defined(kind, list(outputs)) if one.dtype.is_floating or one.dtype.is_complex]
            shapes = [list(one.shape) for one in inputs if one.dtype != tf.resource]
            for number, tensor in enumerate(made):
                place = f" output {number}" if len(made) > 1 else ""
                self._see(f"{kind}{place}", tensor, kind, shapes)

    def _see(self, name: str, tensor: tf.Tensor, operation: str, reads: list[list[int]]) -> None:
        self.operations.see(name, tensor, operation, reads, tensor.numpy)
