"""Exact integer products: two routes, against Python's integers, at and beyond each budget."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro.canonical.matrix import matrix_product
from repro.canonical.product import ONE_PASS, ExactTotal, Route, digits, integer_product
from repro.canonical.scale import BITS, quantise

ROUTES: tuple[Route, ...] = ("float64", "int8")
LARGEST = 2**BITS
LENGTHS = (1, 7, ONE_PASS, ONE_PASS + 1, 2**14, 2**14 + 3)


def integers(shape: tuple[int, ...], seed: int, low: int = -LARGEST) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, LARGEST + 1, shape, generator=generator).double()


def product_of_integers(a: torch.Tensor, b: torch.Tensor) -> list[list[float]]:
    rows = [[int(value) for value in row] for row in a]
    columns = [[int(value) for value in column] for column in b.T]
    return [[float(sum(x * y for x, y in zip(row, column, strict=True))) for column in columns] for row in rows]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("length", LENGTHS)
def test_random_operands(length: int, route: Route) -> None:
    a, b = integers((3, length), 1), integers((length, 2), 2)
    assert integer_product(a, b, route).tolist() == product_of_integers(a, b)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("signs", ["same", "alternating", "last"])
def test_extreme_operands(length: int, route: Route, signs: str) -> None:
    """All at the bound; the exact value needs every one of the 53 bits, and one more."""
    a, b = torch.full((2, length), float(LARGEST)), torch.full((length, 2), float(LARGEST))
    if signs == "alternating":
        a[:, ::2] *= -1
    elif signs == "last":
        a[:, -1], b[-1] = 1.0, -1.0
    assert integer_product(a, b, route).tolist() == product_of_integers(a, b)


@pytest.mark.parametrize("certified", [True, False])
@pytest.mark.parametrize("route", ROUTES)
def test_products_that_arrive_in_blocks(route: Route, certified: bool) -> None:
    length = 3 * ONE_PASS + 5
    limit = 2**17 if certified else LARGEST
    a, b = integers((2, length), 3), integers((length, 2), 4).clamp(-limit, limit)
    total = ExactTotal(certified)
    for start in range(0, length, 9000):
        total.add_product(a[:, start : start + 9000], b[start : start + 9000], route)
    assert total.value().tolist() == product_of_integers(a, b)


@given(st.integers(-LARGEST, LARGEST))
def test_digits_are_balanced_and_complete(q: int) -> None:
    d0, d1, d2 = (int(digit) for digit in digits(torch.tensor([float(q)])))
    assert d0 + 128 * d1 + 128**2 * d2 == q
    assert all(-64 <= digit <= 64 for digit in (d0, d1, d2))


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=4, max_size=4), st.sampled_from(ROUTES))
def test_a_matrix_product_is_the_rounded_rational(values: list[float], route: Route) -> None:
    a, b = torch.tensor([values[:2]]), torch.tensor([[values[2]], [values[3]]])
    q_a, q_b = quantise(a, (-1,)), quantise(b, (-2,))
    whole = sum(int(x) * int(y) for x, y in zip(q_a.values[0], q_b.values[:, 0], strict=True))
    value = Fraction(float(whole)) * Fraction(float(q_a.unit)) * Fraction(float(q_b.unit))
    expected = torch.tensor([[float(value)]], dtype=torch.float64).float()
    assert torch.equal(matrix_product(a, b, route=route), expected)


@pytest.mark.parametrize("shapes", [((2, 3, 4), (2, 4, 5)), ((1, 3, 4), (6, 4, 2)), ((3, 4), (4, 5)), ((0, 4), (4, 5))])
def test_routes_agree_on_any_shape(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    generator = torch.Generator().manual_seed(5)
    a, b = (torch.randn(shape, generator=generator) for shape in shapes)
    one, other = (matrix_product(a, b, route=route) for route in ROUTES)
    assert torch.equal(one, other)
    torch.testing.assert_close(one, (a.double() @ b.double()).float(), rtol=1e-4, atol=1e-5)
