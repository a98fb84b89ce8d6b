"""Distances in ulps, against counted steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.compare.ulps import FLOAT_DTYPES, NAN_AGAINST_NUMBER, summarise_ulps, ulp_distance

UNSIGNED: dict[str, Any] = {"float16": np.uint16, "bfloat16": np.uint16, "float32": np.uint32, "float64": np.uint64}
NATIVE = sorted(FLOAT_DTYPES - {"bfloat16"})


@st.composite
def bit_patterns(draw: st.DrawFn, count: int) -> tuple[str, np.ndarray]:
    dtype = draw(st.sampled_from(sorted(FLOAT_DTYPES)))
    top = np.iinfo(UNSIGNED[dtype]).max
    patterns = draw(st.lists(st.integers(0, int(top)), min_size=count, max_size=count))
    return dtype, np.array(patterns, UNSIGNED[dtype])


def exact(dtype: str, a: int, b: int) -> int:
    """The distance in Python integers, which cannot overflow."""
    bits = 8 * np.dtype(UNSIGNED[dtype]).itemsize
    infinity = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000, "float64": 0x7FF << 52}[dtype]

    def place(pattern: int) -> int | None:
        magnitude = pattern % 2 ** (bits - 1)
        if magnitude > infinity:
            return None
        return -magnitude if pattern >> (bits - 1) else magnitude

    one, other = place(a), place(b)
    if one is None or other is None:
        return 0 if one is other else 2**64 - 1
    return abs(one - other)


@given(bit_patterns(count=3))
def test_distance_is_exact_for_every_bit_pattern(given_bits: tuple[str, np.ndarray]) -> None:
    dtype, bits = given_bits
    values = bits if dtype == "bfloat16" else bits.view(dtype)
    a, b, c = bits.tolist()
    ab, bc, ca = ulp_distance(values, np.roll(values, -1), dtype).tolist()
    assert (ab, bc, ca) == (exact(dtype, a, b), exact(dtype, b, c), exact(dtype, c, a))
    assert ulp_distance(np.roll(values, -1), values, dtype).tolist() == [ab, bc, ca], "not symmetric"
    assert ca <= ab + bc, "no triangle"


# Across zero, among the subnormals, over a power of two and up to infinity.
@pytest.mark.parametrize("dtype", NATIVE)
@pytest.mark.parametrize("start", ["zero", "one", "minus one", "smallest", "largest"])
def test_steps_of_nextafter(dtype: str, start: str) -> None:
    limits = np.finfo(dtype)
    begin = np.asarray(
        {
            "zero": 0.0,
            "one": 1 - 9 * limits.epsneg,
            "minus one": -1 - 9 * limits.eps,
            "smallest": -9 * limits.smallest_subnormal,
            "largest": limits.max,
        }[start],
        dtype,
    )
    value = begin
    with np.errstate(over="ignore", under="ignore"):
        for steps in range(50):
            assert ulp_distance(begin, value) == steps
            assert ulp_distance(value, begin) == steps
            if np.isinf(value):
                break
            value = np.asarray(np.nextafter(value, np.asarray(np.inf, dtype)), dtype)
    assert steps == (1 if start == "largest" else 49)


@pytest.mark.parametrize("dtype", NATIVE)
def test_special_values(dtype: str) -> None:
    nan, inf = np.array(np.nan, dtype), np.array(np.inf, dtype)
    assert ulp_distance(np.array(0.0, dtype), np.array(-0.0, dtype)) == 0
    assert ulp_distance(nan, -nan) == 0
    assert ulp_distance(nan, inf) == NAN_AGAINST_NUMBER
    assert ulp_distance(-inf, inf) == 2 * int(np.asarray(inf).view(UNSIGNED[dtype]))
    assert ulp_distance(-inf, inf) < NAN_AGAINST_NUMBER


def test_summary_tells_what_is_no_distance() -> None:
    one = np.array([1.0, 0.0, np.nan, np.nan, 2.0, 3.0], "float32")
    other = one.copy()
    other[1] = -0.0
    other.view(np.uint32)[2] ^= 1
    other[3] = 5.0
    other[4] = np.nextafter(other[4], np.float32(9))
    summary = summarise_ulps(one, other)
    assert summary.model_dump() == {
        "max_ulps": 1,
        "median_ulps": 0,
        "zero_signs": 1,
        "nan_payloads": 1,
        "nan_against_number": 1,
    }


def test_summary_without_a_pair_of_numbers() -> None:
    nan = np.full(3, np.nan)
    assert summarise_ulps(nan, nan).max_ulps is None
    assert summarise_ulps(nan, np.zeros(3)).nan_against_number == 3
    assert summarise_ulps(np.zeros(0), np.zeros(0)).median_ulps is None


def test_median_is_the_lower_one() -> None:
    base = np.full(4, 1.0)
    moved = (base.view(np.uint64) + np.array([0, 2, 2**40, 7], np.uint64)).view(np.float64)
    assert summarise_ulps(base, moved).median_ulps == 2
    assert summarise_ulps(base, moved).max_ulps == 2**40


def test_byte_order_and_strides_do_not_matter() -> None:
    one = np.arange(1, 13, dtype="float32").reshape(3, 4)
    other = np.nextafter(one, np.float32(99))
    swapped = other.astype(other.dtype.newbyteorder(">"))
    assert (ulp_distance(one, swapped) == 1).all()
    assert ulp_distance(one.T[::2], other.T[::2]).shape == (2, 3)


def test_bfloat16_of_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    one = np.array([1.0, -2.0], ml_dtypes.bfloat16)
    other = (one.view(np.uint16) + np.array([3, 0], np.uint16)).view(ml_dtypes.bfloat16)
    assert ulp_distance(one, other).tolist() == [3, 0]


@pytest.mark.parametrize(
    ("a", "b", "dtype"),
    [
        (np.zeros(2, "float32"), np.zeros(2, "float64"), None),
        (np.zeros(2, "int32"), np.zeros(2, "int32"), None),
        (np.zeros(2, "float16"), np.zeros(2, "float16"), "bfloat16"),
        (np.zeros(2, "uint32"), np.zeros(2, "uint32"), "bfloat16"),
    ],
)
def test_wrong_dtypes(a: np.ndarray, b: np.ndarray, dtype: str | None) -> None:
    with pytest.raises(TypeError, match="expected"):
        ulp_distance(a, b, dtype)


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match="one shape"):
        ulp_distance(np.zeros(2), np.zeros(3))
