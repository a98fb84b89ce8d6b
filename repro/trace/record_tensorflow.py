"""Record what a Keras model computes, layer by layer, while it computes it eagerly.

A layer is seen each time its ``call`` ends, so functional and subclassed models are seen alike. Kernels that a graph
would fuse run one by one here; what a compiled function computes is traced by its results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from repro.trace.recorder import TensorRecorder
from repro.trace.trace import Trace


class Recorder(TensorRecorder):
    """Collects the tensors of one run, in order."""

    @contextmanager
    def layers(self, model: keras.Model, prefix: str) -> Iterator[None]:
        """Record every layer's output as ``prefix/<layer>`` while the block runs eagerly."""
        with observed(model, lambda name, output, kind: self.add(f"{prefix}/{name}", output, kind)):
            yield


@contextmanager
def observed(model: keras.Model, see: Callable[[str, tf.Tensor, str], None]) -> Iterator[None]:
    """Call ``see(name, output, kind)`` for every layer's output, in the order of computation.

    A layer is called by the attributes that lead to it, or by its own name in a functional model; the model itself is
    ``output``. One that runs again gets ``#2``, ``#3`` ...; one that hands on the tensor that was seen last (an
    identity, dropout in inference) adds nothing.
    """
    calls: Counter[str] = Counter()
    last: list[Any] = [None]

    def watch(layer: keras.layers.Layer, name: str) -> Callable[..., Any]:
        original = layer.call

        def call(*arguments: Any, **options: Any) -> Any:
            output = original(*arguments, **options)
            calls[name] += 1
            called = name if calls[name] == 1 else f"{name}#{calls[name]}"
            for suffix, tensor in _tensors(output):
                if tensor is not last[0]:
                    last[0] = tensor
                    see(called + suffix, tensor, type(layer).__name__)
            return output

        return call

    with ExitStack() as restored:
        for name, layer in named_layers(model).items():
            replaced = watch(layer, name)
            restored.callback(_restore, layer, layer.__dict__.get("call"))
            layer.__dict__["call"] = replaced
        yield


def named_layers(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return a model's layers, those inside layers too, by name; the model itself is ``output``."""
    found: dict[str, keras.layers.Layer] = {}
    seen = {id(model)}
    _collect(model, "", found, seen)
    found["output"] = model
    return found


def _collect(node: keras.layers.Layer, path: str, found: dict[str, keras.layers.Layer], seen: set[int]) -> None:
    functional = isinstance(node, keras.Model) and getattr(node, "_is_graph_network", False)
    children = [(layer.name, layer) for layer in node.layers] if functional else _attributes(node)
    for name, layer in children:
        if id(layer) in seen or isinstance(layer, keras.layers.InputLayer):
            continue
        seen.add(id(layer))
        where = f"{path}.{name}" if path else name
        _collect(layer, where, found, seen)
        found[where] = layer


def _attributes(node: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    for name, value in vars(node).items():
        if name.startswith("_"):
            continue
        if isinstance(value, keras.layers.Layer):
            yield name, value
        elif isinstance(value, list | tuple):
            for index, one in enumerate(value):
                if isinstance(one, keras.layers.Layer):
                    yield f"{name}.{index}", one


def _restore(layer: keras.layers.Layer, before: Any) -> None:
    if before is None:
        del layer.__dict__["call"]
    else:
        layer.__dict__["call"] = before


def trace_in_pieces(model: keras.Model, inputs: np.ndarray, piece: int, prefix: str) -> Trace:
    """Return the trace of a forward pass that is fed ``piece`` samples at a time.

    The pieces' outputs are joined along the batch axis, so that the trace can be compared with that of
    the undivided batch. Only outputs whose first axis is the batch are recorded.
    """
    outputs: dict[str, list[np.ndarray]] = {}
    kinds: dict[str, str] = {}
    for start in range(0, len(inputs), piece):
        part = inputs[start : start + piece]

        def see(name: str, output: tf.Tensor, kind: str, expected: int = len(part)) -> None:
            if output.shape.rank and output.shape[0] == expected:
                outputs.setdefault(name, []).append(output.numpy())
                kinds[name] = kind

        with observed(model, see):
            model(part, training=False)
    recorder = Recorder()
    for name, parts in outputs.items():
        recorder.add(f"{prefix}/{name}", np.concatenate(parts), kinds[name])
    return recorder.trace()


def _tensors(output: Any, suffix: str = "") -> Iterator[tuple[str, tf.Tensor]]:
    if isinstance(output, tf.Tensor):
        yield suffix, output
    elif isinstance(output, Mapping):
        for key, value in output.items():
            yield from _tensors(value, f"{suffix}.{key}")
    elif isinstance(output, tuple | list):
        for index, value in enumerate(output):
            yield from _tensors(value, f"{suffix}.{index}")
