"""Distances between floating-point values in units in the last place.

The distance of two numbers is how many steps of ``nextafter`` lead from one to the other. IEEE 754 orders
values of one sign as it orders their bit patterns as integers, so a pattern's magnitude, with its sign, is
the number of steps from zero.

Three things that bits can differ in are no distance, and are told apart from one:

- the sign of zero: IEEE says that -0.0 equals 0.0, so the distance is 0, though the digests differ;
- the payload of a NaN: 0 likewise;
- a NaN against a number: :data:`NAN_AGAINST_NUMBER`, above every distance between numbers.
"""

from __future__ import annotations

import statistics

import numpy as np

from repro.schema import Frozen

NAN_AGAINST_NUMBER = np.uint64(2**64 - 1)
"""Stands where one value is a NaN and the other is not. The infinities of float64 are 2**64 - 2**53 apart."""

_INFINITY = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000, "float64": 0x7FF0000000000000}
_UNSIGNED = {"float16": np.uint16, "bfloat16": np.uint16, "float32": np.uint32, "float64": np.uint64}

FLOAT_DTYPES = frozenset(_INFINITY)
"""Names of the dtypes that have a distance here."""


class UlpSummary(Frozen):
    """How far two sets of values are apart.

    Attributes:
        max_ulps, median_ulps: among the pairs of numbers, equal ones included; of an even number the lower
            median. ``None`` where there is no such pair.
        zero_signs: pairs that differ in the sign of zero only.
        nan_payloads: pairs of NaNs with different bits.
        nan_against_number: pairs of a NaN and a number.
    """

    max_ulps: int | None
    median_ulps: int | None
    zero_signs: int
    nan_payloads: int
    nan_against_number: int


def ulp_distance(a: np.ndarray, b: np.ndarray, dtype: str | None = None) -> np.ndarray:
    """Return the distance of every pair in ulps, exactly.

    Args:
        a: float16, float32, float64, or bfloat16 (of ml_dtypes, or as uint16 with ``dtype="bfloat16"``), any
            byte order.
        b: of the same shape and dtype.
        dtype: the dtype's name where the array does not tell it.

    Returns:
        uint64, the shape of ``a``. An infinity is one step beyond the largest finite value.

    Raises:
        TypeError: another dtype, or two different ones.
        ValueError: two different shapes.
    """
    (bits_a, bits_b), name = _bits(a, b, dtype)
    return _distance(bits_a, bits_b, name)


def summarise_ulps(a: np.ndarray, b: np.ndarray, dtype: str | None = None) -> UlpSummary:
    """Return how far two arrays are apart; arguments and errors as for :func:`ulp_distance`."""
    (bits_a, bits_b), name = _bits(a, b, dtype)
    distance = _distance(bits_a, bits_b, name)
    nan = _magnitude(bits_a) > _INFINITY[name]
    both_nan = nan & (_magnitude(bits_b) > _INFINITY[name])
    unlike_nan = distance == NAN_AGAINST_NUMBER
    numbers = [int(ulps) for ulps in distance[~both_nan & ~unlike_nan]]
    changed = bits_a != bits_b
    return UlpSummary(
        max_ulps=max(numbers, default=None),
        median_ulps=statistics.median_low(numbers) if numbers else None,
        zero_signs=int(np.count_nonzero(changed & (distance == 0) & ~both_nan)),
        nan_payloads=int(np.count_nonzero(changed & both_nan)),
        nan_against_number=int(np.count_nonzero(unlike_nan)),
    )


def _bits(a: np.ndarray, b: np.ndarray, dtype: str | None) -> tuple[list[np.ndarray], str]:
    arrays = [np.asarray(a), np.asarray(b)]
    names = [dtype or array.dtype.name for array in arrays]
    if names[0] != names[1] or names[0] not in _INFINITY:
        raise TypeError(
            f"expected two arrays of one dtype out of {', '.join(sorted(_INFINITY))}; got {', '.join(names)}"
        )
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"expected two arrays of one shape, got {arrays[0].shape} and {arrays[1].shape}")
    unsigned = np.dtype(_UNSIGNED[names[0]])
    views = []
    for array in arrays:
        if array.dtype.name not in (names[0], unsigned.name):
            raise TypeError(f"expected {names[0]}, or {unsigned.name} for its bits; got {array.dtype.name}")
        views.append(array.astype(array.dtype.newbyteorder("="), copy=False).view(unsigned))
    return views, names[0]


def _magnitude(bits: np.ndarray) -> np.ndarray:
    """Return the steps from zero, uint64."""
    sign = 1 << (8 * bits.dtype.itemsize - 1)
    return (bits & bits.dtype.type(sign - 1)).astype(np.uint64)


def _distance(bits_a: np.ndarray, bits_b: np.ndarray, name: str) -> np.ndarray:
    a, b = _magnitude(bits_a), _magnitude(bits_b)
    sign = bits_a.dtype.type(1 << (8 * bits_a.dtype.itemsize - 1))
    same_sign = (bits_a & sign) == (bits_b & sign)
    # Two magnitudes are below 2**63 each, so their sum fits.
    distance = np.where(same_sign, np.maximum(a, b) - np.minimum(a, b), a + b)
    nan_a, nan_b = a > _INFINITY[name], b > _INFINITY[name]
    distance[nan_a & nan_b] = 0
    distance[nan_a ^ nan_b] = NAN_AGAINST_NUMBER
    return distance
