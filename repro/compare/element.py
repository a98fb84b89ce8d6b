"""The first element in which two arrays differ in their bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from repro.compare.ulps import FLOAT_DTYPES, NAN_AGAINST_NUMBER, ulp_distance
from repro.schema import Frozen


class Element(Frozen):
    """One element of two arrays.

    Attributes:
        index: its place in each axis.
        values: in the two arrays, as the shortest text that comes back to the bit.
        ulps: how far they are apart; ``None`` where there is no such distance.
        differing, size: how many elements differ, and of how many.
    """

    index: tuple[int, ...]
    values: tuple[str, str]
    ulps: int | None
    differing: int
    size: int


def first_difference(a: np.ndarray, b: np.ndarray) -> Element | None:
    """Return the first element, in C order, whose bits differ; ``None`` where there is none.

    Raises:
        ValueError: the arrays differ in shape or dtype.
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        raise ValueError(f"expected two arrays alike, got {a.dtype} {a.shape} and {b.dtype} {b.shape}")
    bytes_a, bytes_b = (np.ascontiguousarray(one).reshape(-1).view(np.uint8) for one in (a, b))
    differs = (bytes_a != bytes_b).reshape(a.size, a.dtype.itemsize).any(axis=1)
    if not differs.any():
        return None
    place = int(differs.argmax())
    pair = a.reshape(-1)[place : place + 1], b.reshape(-1)[place : place + 1]
    return Element(
        index=tuple(int(one) for one in np.unravel_index(place, a.shape)),
        values=(_text(pair[0][0]), _text(pair[1][0])),
        ulps=_ulps(*pair),
        differing=int(differs.sum()),
        size=a.size,
    )


def _text(value: Any) -> str:
    return str(value)


def _ulps(a: np.ndarray, b: np.ndarray) -> int | None:
    if a.dtype.name not in FLOAT_DTYPES:
        return None
    distance = ulp_distance(a, b)[0]
    return None if distance == NAN_AGAINST_NUMBER else int(distance)
