"""Digest of a tensor that is too large to hold: the same digest, from pieces along the first axis."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from blake3 import blake3

from repro.digest.array import as_array, tensor_header, value_bytes


class PiecesHasher:
    """Takes pieces along the first axis and gives what :func:`repro.digest.tensor_digest` gives for them joined.

    Attributes:
        dtype, shape: of the whole.
    """

    def __init__(self, dtype: str, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape = dtype, shape
        self._hasher = blake3(tensor_header(dtype, shape), max_threads=blake3.AUTO)
        self._count = 0

    def update(self, piece: np.ndarray) -> None:
        """Take the next piece, of shape (k, *shape[1:]).

        Raises:
            ValueError: it is of another dtype or shape.
        """
        values, name = as_array(piece)
        if name != self.dtype or values.shape[1:] != self.shape[1:]:
            raise ValueError(f"expected pieces of {self.dtype} {self.shape[1:]}, got {name} {values.shape[1:]}")
        self._count += values.size
        self._hasher.update(value_bytes(values))

    def hexdigest(self) -> str:
        """Return the digest.

        Raises:
            ValueError: the pieces so far do not add up to the shape.
        """
        if self._count != math.prod(self.shape):
            raise ValueError(
                f"the pieces hold {self._count} values; the shape {self.shape} needs {math.prod(self.shape)}"
            )
        return str(self._hasher.hexdigest())


def pieces_digest(pieces: Iterable[np.ndarray], dtype: str, shape: tuple[int, ...]) -> str:
    """Return what :func:`repro.digest.tensor_digest` gives for the pieces joined along the first axis.

    Args:
        pieces: arrays of shape (k, *shape[1:]) in order.
        dtype, shape: of the whole.

    Raises:
        ValueError: the pieces are of another dtype or do not add up to the shape.
    """
    hasher = PiecesHasher(dtype, shape)
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()
