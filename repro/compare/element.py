"""The first element in which two arrays differ in their bits."""

from __future__ import annotations

import math

import numpy as np

from repro.compare.divergence import sampled_pair
from repro.compare.ulps import FLOAT_DTYPES, NAN_AGAINST_NUMBER, ulp_distance
from repro.schema import Frozen
from repro.trace import THIN_STEP, TraceEntry, sampled_places


class Element(Frozen):
    """One element of two arrays.

    Attributes:
        index: its place in each axis.
        values: in the two arrays, as the shortest text that comes back to the bit.
        ulps: how far they are apart; ``None`` where there is no such distance.
        differing, size: how many elements differ, and of how many: of a sketch, of those that it keeps.
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
    return _element(a.reshape(-1), b.reshape(-1), differs, np.arange(a.size), a.shape)


def first_sampled_difference(a: TraceEntry, b: TraceEntry) -> Element | None:
    """Return the first of the values that two sketches keep whose bits differ, counted among these values.

    ``None`` where there is none, where dtype or shape differ, without sketches, and for a dtype that NumPy lacks.
    """
    if (a.dtype, a.shape) != (b.dtype, b.shape) or a.sketch is None or b.sketch is None:
        return None
    try:
        dtype = np.dtype(a.dtype).newbyteorder("<")
    except TypeError:
        return None
    mine, other = sampled_pair((a, a.sketch), (b, b.sketch))
    places = sampled_places(math.prod(a.shape))
    places = places if len(places) == len(mine) else places[::THIN_STEP]
    differs = (mine != other).any(axis=1)
    values, others = (np.ascontiguousarray(one).view(dtype).reshape(-1) for one in (mine, other))
    return _element(values, others, differs, places, a.shape)


def _element(
    a: np.ndarray, b: np.ndarray, differs: np.ndarray, places: np.ndarray, shape: tuple[int, ...]
) -> Element | None:
    if not differs.any():
        return None
    first = int(differs.argmax())
    return Element(
        index=tuple(int(one) for one in np.unravel_index(places[first], shape)),
        values=(str(a[first]), str(b[first])),
        ulps=_ulps(a[first : first + 1], b[first : first + 1]),
        differing=int(differs.sum()),
        size=len(differs),
    )


def _ulps(a: np.ndarray, b: np.ndarray) -> int | None:
    if a.dtype.name not in FLOAT_DTYPES:
        return None
    distance = ulp_distance(a, b)[0]
    return None if distance == NAN_AGAINST_NUMBER else int(distance)
