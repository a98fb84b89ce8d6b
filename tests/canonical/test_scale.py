"""Quantities on a power-of-two grid, against exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro.canonical.scale import BITS, epilogue, exact_sum, exponent, power_of_two, quantise, sum_bits

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def nearest(value: Fraction) -> float:
    """Return the float64 nearest to a rational; Python divides integers correctly rounded."""
    return value.numerator / value.denominator


def ordinary_quantum(values: list[float], bits: int) -> Fraction:
    largest = max(abs(value) for value in values)
    e = math.frexp(largest)[1] if largest else 0
    return Fraction(2) ** (e - bits)


def round_half_even(value: Fraction) -> int:
    return round(value)


@given(st.floats(min_value=0, width=32, allow_infinity=False))
def test_the_exponent_is_that_of_frexp(value: float) -> None:
    found = int(exponent(torch.tensor([value], dtype=torch.float64)))
    assert found == (math.frexp(value)[1] if value else 0)


@pytest.mark.parametrize("e", [-1022, -149, 0, 1, 1023])
def test_powers_of_two_are_exact(e: int) -> None:
    assert float(power_of_two(torch.tensor(e))) == 2.0**e


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_quantised_values_are_the_nearest_integers(values: list[float]) -> None:
    quantised = quantise(torch.tensor(values, dtype=torch.float32), (0,))
    quantum = ordinary_quantum(values, BITS)
    assert [int(q) for q in quantised.values] == [round_half_even(Fraction(value) / quantum) for value in values]
    assert Fraction(float(quantised.unit)) == quantum
    assert quantised.values.abs().max() <= 2**BITS


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_float32_and_float64_give_the_same_integers(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    assert torch.equal(quantise(x, (0,)).values.double(), quantise(x.double(), (0,)).values)


@given(st.lists(FLOATS, min_size=1, max_size=40))
def test_a_sum_is_the_exact_sum_of_the_quantised_terms(values: list[float]) -> None:
    quantum = ordinary_quantum(values, sum_bits(len(values)))
    expected = sum(round_half_even(Fraction(value) / quantum) for value in values) * quantum
    assert Fraction(float(exact_sum(torch.tensor(values, dtype=torch.float32), ()))) == expected


@given(st.lists(FLOATS, min_size=1, max_size=40), st.randoms())
def test_a_sum_knows_no_order(values: list[float], shuffler: object) -> None:
    shuffled = list(values)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (exact_sum(torch.tensor(each, dtype=torch.float32), ()) for each in (values, shuffled))
    assert one.view(torch.int64) == other.view(torch.int64)


@pytest.mark.parametrize("terms", [1, 2, 3, 1000, 2**20])
def test_a_sum_of_equal_extremes_stays_exact(terms: int) -> None:
    largest = float(np.nextafter(np.float32(2), np.float32(0)))
    x = torch.full((terms,), largest)
    assert float(exact_sum(x, ())) == nearest(Fraction(largest) * terms)


def test_sums_keep_the_axes_that_are_not_added() -> None:
    x = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    assert torch.equal(exact_sum(x, (0, 2)), x.double().sum((0, 2)))
    assert exact_sum(x, (1,), keepdim=True).shape == (2, 1, 4)
    assert exact_sum(x, (-1,)).shape == (2, 3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_group_with_nan_or_infinity_is_nan_and_no_other_is(bad: float) -> None:
    x = torch.tensor([[1.0, bad], [2.0, 3.0]])
    total = exact_sum(x, (1,))
    assert total[0].isnan()
    assert total[1] == 5
    assert torch.isfinite(quantise(x, (1,)).values).all()


def test_zeros_and_denormals_are_exact() -> None:
    tiny = 2.0**-149
    assert float(exact_sum(torch.tensor([tiny, tiny, 0.0]), ())) == 2 * tiny
    zero = exact_sum(torch.tensor([-0.0, -0.0]), ())
    assert zero == 0
    assert not torch.signbit(zero)


@given(st.integers(-(2**53), 2**53), st.integers(-300, 100), FLOATS)
def test_the_epilogue_rounds_twice_and_no_more(total: int, power: int, bias: float) -> None:
    scale = Fraction(2) ** power
    wide = nearest(Fraction(total) * scale + Fraction(bias))
    with np.errstate(over="ignore"):
        expected = np.float32(wide)
    found = epilogue(
        torch.tensor([float(total)], dtype=torch.float64),
        torch.tensor([float(scale)], dtype=torch.float64),
        torch.tensor([bias], dtype=torch.float32),
    )
    assert np.float32(found.item()) == expected
