"""Nested state of any framework as arrays and plain data, in one file that is replaced at once.

What a training depends on is a tree of dictionaries and lists whose leaves are tensors, numbers, texts and ``None``.
Its tensors are stored as arrays under the path that leads to them; what is left is JSON. Nothing is pickled.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from repro.digest import as_array
from repro.errors import BadInput
from repro.store.atomic import atomic_file

_HEAD = "_"  # the name under which the plain data stand among the arrays


def pack(state: Any) -> tuple[dict[str, np.ndarray], Any]:
    """Return the tensors by their path, as arrays that may share the tensors' memory, and the rest as JSON data.

    Raises:
        TypeError: a leaf is neither tensor nor plain, or a tensor has a type that NumPy lacks.
    """
    arrays: dict[str, np.ndarray] = {}
    return arrays, _pack(state, "", arrays)


def unpack(plain: Any, arrays: Mapping[str, np.ndarray], tensor: Callable[[np.ndarray], Any] = np.asarray) -> Any:
    """Return the tree again.

    Args:
        plain: the rest, as :func:`pack` gave it.
        arrays: by path.
        tensor: makes a leaf of an array.
    """
    if isinstance(plain, list):
        return [unpack(value, arrays, tensor) for value in plain]
    if not isinstance(plain, dict):
        return plain
    kind, value = plain["kind"], plain["value"]
    if kind == "tensor":
        return tensor(arrays[value])
    if kind == "float":
        return float(value)
    if kind == "tuple":
        return tuple(unpack(each, arrays, tensor) for each in value)
    return {key: unpack(each, arrays, tensor) for key, each in value}


def _pack(state: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if state is None or isinstance(state, (bool, int, str)):
        return state
    if isinstance(state, float):
        return state if math.isfinite(state) else {"kind": "float", "value": repr(state)}
    if isinstance(state, Mapping):
        return {"kind": "dict", "value": [[key, _pack(each, _join(path, key), arrays)] for key, each in state.items()]}
    if isinstance(state, (list, tuple)):
        packed = [_pack(each, _join(path, number), arrays) for number, each in enumerate(state)]
        return packed if isinstance(state, list) else {"kind": "tuple", "value": packed}
    values, dtype = as_array(state)
    if values.dtype.name != dtype:
        raise TypeError(f"{path}: a tensor of {dtype} cannot be stored")
    arrays[path] = values
    return {"kind": "tensor", "value": path}


def _join(path: str, key: Any) -> str:
    return f"{path}/{key}" if path else str(key)


def save_packed(path: Path, arrays: Mapping[str, np.ndarray], head: Mapping[str, Any]) -> None:
    """Write arrays and plain data as one file, whole or not at all."""
    text = json.dumps(dict(head), allow_nan=False).encode()
    with atomic_file(path) as file:
        np.savez(file, **{_HEAD: np.frombuffer(text, np.uint8), **arrays})  # type: ignore[arg-type]  # names are free


def load_packed(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_packed` wrote.

    Raises:
        BadInput: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return arrays, json.loads(arrays.pop(_HEAD).tobytes())
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise BadInput(f"{path}: a damaged training state: {error}", next_step="delete it and train anew") from error
