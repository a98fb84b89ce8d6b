r"""Digest of a tensor: BLAKE3 over a header and the values.

The header is ``repro-tensor/1\n{dtype}\n{comma-separated shape}\n`` in ASCII, with NumPy's dtype name
(ml_dtypes' for bfloat16 and float8). The values follow in C order, little-endian. So -0.0 and 0.0
differ, NaN payloads count, and a tensor has one digest whichever framework holds it.

NumPy arrays and CPU tensors of torch and TensorFlow are hashed where they lie; only what is not
contiguous, not little-endian or on a GPU is copied first. No framework is imported here: a tensor is
known by the packages of its class, which its owner has already imported.
"""

from __future__ import annotations

import sys
from functools import cache, lru_cache
from typing import Any

import numpy as np
from blake3 import blake3

from repro.digest.threads import hash_threads

_PLAIN_KINDS = "biufc"  # bool, signed, unsigned, float, complex
_PADDED = "gG"  # long double and its complex: their padding bytes hold whatever was there


def tensor_digest(tensor: Any) -> str:
    """Return the digest of a tensor, 64 hexadecimal digits.

    Args:
        tensor: NumPy array or scalar, ``torch.Tensor`` or TensorFlow ``EagerTensor``/``Variable``, any shape.

    Raises:
        TypeError: it is no dense tensor of numbers or booleans.
    """
    values, dtype = as_array(tensor)
    return digest_values(values, dtype)


@lru_cache(maxsize=1024)
def tensor_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return the bytes that a tensor's values are hashed behind."""
    return f"repro-tensor/1\n{dtype}\n{','.join(map(str, shape))}\n".encode("ascii")


def digest_values(values: np.ndarray, dtype: str) -> str:
    """Return the digest of an array under the dtype name it is to have; see :func:`as_array`."""
    hasher = blake3(tensor_header(dtype, values.shape), max_threads=hash_threads(values.nbytes))
    hasher.update(value_bytes(values))
    return str(hasher.hexdigest())


def dtype_name(tensor: Any) -> str:
    """Return the dtype's name as the digest has it: NumPy's, or ml_dtypes' for bfloat16 and float8."""
    return as_array(tensor)[1]


def as_array(tensor: Any) -> tuple[np.ndarray, str]:
    """Return the tensor's values as an array and its dtype name, without a copy where one can be avoided.

    A dtype that NumPy lacks (bfloat16, float8) comes as an unsigned view of the same bytes; the name
    tells what it is.

    Raises:
        TypeError: it is no dense tensor of numbers or booleans.
    """
    owner = _owner(type(tensor).__mro__)
    if owner == "torch":
        return _from_torch(tensor)
    if owner == "tensorflow":
        return _from_tensorflow(tensor)
    return _from_numpy(np.asarray(tensor))


def little_endian(values: np.ndarray) -> np.ndarray:
    """Return the values contiguous in C order and little-endian; the very array where it is so already."""
    if values.dtype.byteorder == ">" or (values.dtype.byteorder == "=" and sys.byteorder == "big"):
        values = values.astype(values.dtype.newbyteorder("<"))
    return np.asarray(values, order="C")  # ascontiguousarray would give a 0-d array an axis


def value_bytes(values: np.ndarray) -> memoryview:
    """Return the bytes that are hashed: those of the very array where it is as :func:`little_endian` has it."""
    return little_endian(values).reshape(-1).view(np.uint8).data


# A trace asks for these between two layers, with cold caches, where every line of Python counts: so they are kept.


@cache
def _owner(bases: tuple[type, ...]) -> str | None:
    # Subclasses count as what they are derived from: torchvision's images and Keras' variables are tensors.
    for base in bases:
        package = base.__module__.partition(".")[0]
        if package in ("torch", "tensorflow"):
            return package
    return None


@cache
def _numpy_name(dtype: np.dtype) -> tuple[str, str | None]:
    """Return the name, and the unsigned dtype to view it as where NumPy itself lacks it."""
    name = dtype.name
    if dtype.kind in _PLAIN_KINDS and dtype.char not in _PADDED:
        return name, None
    if name.startswith(("bfloat16", "float8")):
        return name, f"u{dtype.itemsize}"
    raise TypeError(f"cannot digest an array of dtype {dtype}: expected numbers or booleans")


@cache
def _torch_name(dtype: Any) -> tuple[str, Any]:
    """Return the name, and the unsigned dtype to view it as where NumPy lacks it."""
    torch = sys.modules["torch"]  # the dtype's owner has imported it
    name = str(dtype).removeprefix("torch.")
    unsigned = {1: torch.uint8, 2: torch.uint16}
    return name, unsigned[dtype.itemsize] if name.startswith(("bfloat16", "float8")) else None


def _from_numpy(array: np.ndarray) -> tuple[np.ndarray, str]:
    name, unsigned = _numpy_name(array.dtype)
    return array if unsigned is None else array.view(unsigned), name


def _from_torch(tensor: Any) -> tuple[np.ndarray, str]:
    if not hasattr(tensor, "is_sparse"):
        raise TypeError(f"cannot digest a {type(tensor).__name__}: expected a tensor")
    name, unsigned = _torch_name(tensor.dtype)
    try:
        if unsigned is not None:
            tensor = tensor.detach().view(unsigned)
        return tensor.numpy(force=True), name  # force: off the graph and the GPU, conjugations carried out
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"cannot digest a tensor of {tensor.layout}, {tensor.dtype}, on {tensor.device}: "
            f"expected a dense one of numbers or booleans ({error})"
        ) from error


def _from_tensorflow(tensor: Any) -> tuple[np.ndarray, str]:
    if hasattr(tensor, "read_value"):  # a variable
        tensor = tensor.read_value()
    if not hasattr(tensor, "numpy") or hasattr(tensor, "row_splits"):
        raise TypeError(f"cannot digest a {type(tensor).__name__}: expected a dense tensor with values")
    return _from_numpy(np.asarray(tensor))
