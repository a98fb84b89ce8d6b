"""Keyed weights: every value of a tensor follows from its name and a salt alone, on every machine and for ever.

Two implementations of one architecture that are filled so and fed the same keyed image must give the same
outputs. SHAKE-256 over ``salt/name`` gives 24-bit numbers u in [-1, 1); what the tensor is for scales them,
so that activations neither vanish nor grow:

    variance  1 + u/4     matrix or kernel  u sqrt(3 / fan-in)     bias  u/16
    mean      u/8         norm scale        1 + u/8                other u/8
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

CONTRACT_SALT = "contract-1"
"""The salt of the contracts, which check-rep uses as well."""

Layout = Literal["oihw", "hwio"]
"""Where a kernel's outputs are: first (PyTorch) or last (TensorFlow). Its fan-in is the product of the rest."""

_NORM_STATISTICS = {
    "running_var": (1.0, 4.0),
    "moving_variance": (1.0, 4.0),
    "running_mean": (0.0, 8.0),
    "moving_mean": (0.0, 8.0),
}
_VECTORS = {"weight": (1.0, 8.0), "gamma": (1.0, 8.0), "bias": (0.0, 16.0), "beta": (0.0, 16.0)}
_OTHER = (0.0, 8.0)


_CHUNK = 1 << 16  # values that are held in double precision at a time: they stay in the cache


def keyed_uniform(name: str, shape: tuple[int, ...], salt: str) -> np.ndarray:
    """Return float64 values in [-1, 1), multiples of 2^-23, of the given shape."""
    return _uniform(_stream(name, shape, salt)).reshape(shape)


def _stream(name: str, shape: tuple[int, ...], salt: str) -> np.ndarray:
    return np.frombuffer(hashlib.shake_256(f"{salt}/{name}".encode()).digest(4 * math.prod(shape)), "<u4")


def _uniform(stream: np.ndarray) -> np.ndarray:
    uniform: np.ndarray = (stream >> np.uint32(8)).astype(np.float64) / 2.0**23 - 1.0
    return uniform


def keyed_tensor(name: str, shape: tuple[int, ...], salt: str, layout: Layout = "oihw") -> np.ndarray:
    """Return the float32 values of a floating-point tensor.

    Args:
        name: its name in the state dict, parts separated by ``.`` or ``/``; a ``:0`` at the end plays no
            part in what the tensor is taken for, though it does in the values.
        shape: its shape.
        salt: of the contract.
        layout: of kernels.
    """
    values = np.empty(shape, np.float32)
    fill_keyed_tensor(values, name, salt, layout)
    return values


def fill_keyed_tensor(values: np.ndarray, name: str, salt: str, layout: Layout = "oihw") -> None:
    """Write what :func:`keyed_tensor` returns into a float32 array, without the memory of another one.

    Raises:
        ValueError: it is not contiguous.
    """
    shape = values.shape
    leaf = name.replace("/", ".").rpartition(".")[2].partition(":")[0]
    if leaf not in _NORM_STATISTICS and len(shape) >= 2:
        fan_in = math.prod(shape[1:] if layout == "oihw" else shape[:-1])
        scale = math.sqrt(3 / fan_in)
        _write(values, name, salt, lambda uniform: uniform * scale)
        return
    offset, divisor = _NORM_STATISTICS.get(leaf) or _VECTORS.get(leaf, _OTHER)
    _write(values, name, salt, lambda uniform: offset + uniform / divisor)


def _write(values: np.ndarray, name: str, salt: str, scale: Callable[[np.ndarray], np.ndarray]) -> None:
    if not values.flags.c_contiguous:
        raise ValueError(f"{name}: keyed values are written to contiguous arrays alone")
    stream, flat = _stream(name, values.shape, salt), values.reshape(-1)
    for start in range(0, len(stream), _CHUNK):
        flat[start : start + _CHUNK] = scale(_uniform(stream[start : start + _CHUNK]))


def keyed_image(shape: tuple[int, ...], salt: str) -> np.ndarray:
    """Return a float32 batch of inputs in [0, 1)."""
    return (keyed_uniform("input", shape, salt) / 2.0 + 0.5).astype(np.float32)


def keyed_state(shapes: Mapping[str, tuple[int, ...]], salt: str, layout: Layout = "oihw") -> dict[str, np.ndarray]:
    """Return keyed tensors for the given names, which must be those of floating-point tensors.

    Integer buffers (``num_batches_tracked``) are no part of keyed weights: they stay as the model built them.
    """
    return {name: keyed_tensor(name, tuple(shape), salt, layout) for name, shape in shapes.items()}
