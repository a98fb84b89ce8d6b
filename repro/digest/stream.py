"""Digest of a tensor that is too large to hold: the same digest, from pieces along the first axis."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from blake3 import blake3

from repro.digest.array import as_array, tensor_header, value_bytes


def pieces_digest(pieces: Iterable[np.ndarray], dtype: str, shape: tuple[int, ...]) -> str:
    """Return what :func:`repro.digest.tensor_digest` gives for the pieces joined along the first axis.

    Args:
        pieces: arrays of shape (k, *shape[1:]) in order.
        dtype, shape: of the whole.

    Raises:
        ValueError: the pieces are of another dtype or do not add up to the shape.
    """
    hasher = blake3(tensor_header(dtype, shape), max_threads=blake3.AUTO)
    count = 0
    for piece in pieces:
        values, name = as_array(piece)
        if name != dtype or values.shape[1:] != shape[1:]:
            raise ValueError(f"expected pieces of {dtype} {shape[1:]}, got {name} {values.shape[1:]}")
        count += values.size
        hasher.update(value_bytes(values))
    if count != math.prod(shape):
        raise ValueError(f"the pieces hold {count} values; the shape {shape} needs {math.prod(shape)}")
    return str(hasher.hexdigest())
