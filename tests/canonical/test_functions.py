"""Every function gives the float32 nearest to the real one, by both routes."""

from __future__ import annotations

from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.canonical import functions, functions_reference
from repro.canonical.exceptions import EXCEPTIONS
from repro.canonical.functions import FUNCTIONS, Function
from tests.canonical import exhaustive
from tests.canonical.multiple_precision import AT_INFINITY, INFINITY, NAN, REAL, SIGN, rounded

ROUTES: tuple[functions.Route, ...] = ("fast", "reference")
every = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)

EDGES = [0, 1, 2, 3, 0x7FFFFF, 0x800000, 0xFFFFFF, 0x1000001, 0x7F7FFFFF, INFINITY, 0x3F800000, 0x3F7FFFFF, 0x3F800001]
"""Zero, denormals, the ends of the first binades, the largest, infinity, one and its neighbours."""


def bits_of(x: torch.Tensor) -> list[int]:
    return [value & 0xFFFFFFFF for value in x.view(torch.int32).tolist()]


def floats(bits: list[int]) -> torch.Tensor:
    return torch.from_numpy(np.array(bits, dtype=np.uint32).view(np.float32))


def require_right(function: Function, bits: list[int]) -> None:
    right = [rounded(function.name, one) for one in bits]
    for route in ROUTES:
        given_bits = bits_of(function(floats(bits), route=route))
        wrong = [(hex(x), hex(y), hex(z)) for x, y, z in zip(bits, given_bits, right, strict=True) if y != z]
        assert not wrong, f"{route}: argument, result, right: {wrong[:5]}"


@every
def test_edges(function: Function) -> None:
    require_right(function, EDGES + [SIGN | edge for edge in EDGES])


@every
def test_nan_is_one_pattern(function: Function) -> None:
    for route in ROUTES:
        assert set(bits_of(function(floats([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF]), route=route))) == {NAN}


@every
def test_the_limits_are_those_of_the_table(function: Function) -> None:
    assert bits_of(function(floats([INFINITY, SIGN | INFINITY]))) == list(AT_INFINITY[function.name])


@every
@given(bits=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
@settings(max_examples=20)
def test_any_bits(function: Function, bits: list[int]) -> None:
    require_right(function, bits)


@every
@given(values=st.lists(st.floats(-16, 16, width=32), min_size=1, max_size=20))
@settings(max_examples=20)
def test_usual_arguments(function: Function, values: list[float]) -> None:
    require_right(function, bits_of(torch.tensor(values)))


TAILS = {
    "exp": [(-104.5, -86.0), (88.0, 89.5)],
    "sigmoid": [(-104.5, -86.0), (15.0, 18.0)],
    "silu": [(-110.0, -90.0)],
    "tanh": [(8.5, 9.5)],
    "erf": [(3.5, 4.5), (0.7, 0.8)],
    "gelu": [(-15.5, -12.5), (4.0, 6.5)],
    "gelu_derivative": [(-15.5, -12.5), (-0.752, -0.7516), (5.0, 7.0)],
    "log": [(0.999, 1.001)],
}
"""Where results become denormal, zero, one or infinite, cross zero, or the reference changes its formula."""


@pytest.mark.parametrize("name", TAILS)
def test_tails(name: str) -> None:
    for low, high in TAILS[name]:
        require_right(FUNCTIONS[name], bits_of(torch.linspace(low, high, 600)))


@every
def test_both_routes_agree_on_many(function: Function) -> None:
    rng = np.random.default_rng(4)
    anything = rng.integers(0, 2**32, 120_000, dtype=np.uint32).view(np.float32)
    usual = rng.normal(0, 4, 120_000).astype(np.float32)
    x = torch.from_numpy(np.concatenate([anything, usual]))
    assert bits_of(function(x)) == bits_of(function(x, route="reference"))


@every
def test_the_machine_keeps_the_margin_with_room(function: Function) -> None:
    """The fast route's float64 values lie within an eighth of the margin of the reference's."""
    x = torch.from_numpy(np.random.default_rng(5).normal(0, 3, 50_000).astype(np.float32)).double()
    if function.name in ("log", "sqrt", "rsqrt"):
        x = x.abs()
    value = function.reference(x.clone())
    low, high = function.bounds(x.clone(), function.margin / 8)
    assert bool(((torch.minimum(low, high) <= value) & (value <= torch.maximum(low, high))).all())


@every
def test_places_strides_and_blocks_change_nothing(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.linspace(-6, 6, 1001)
    whole = bits_of(function(x))
    assert bits_of(function(x.flip(0)).flip(0)) == whole
    assert bits_of(function(torch.stack([x, x], 1)[:, 0])) == whole
    assert function(x.reshape(7, 11, 13)).shape == (7, 11, 13)
    assert function(x[:0]).shape == (0,)
    assert function(x[0]).shape == ()
    monkeypatch.setattr(functions, "BLOCK", 10)
    assert bits_of(function(x)) == whole


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        functions.exp(torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("name", [name for name, table in EXCEPTIONS.items() if table])
def test_exceptions_are_needed_and_right(name: str) -> None:
    keys = list(EXCEPTIONS[name])
    assert [rounded(name, key) for key in keys] == list(EXCEPTIONS[name].values())
    plain = bits_of(FUNCTIONS[name].reference(floats(keys).double()).float())
    assert all(ours != right for ours, right in zip(plain, EXCEPTIONS[name].values(), strict=True))
    require_right(FUNCTIONS[name], keys)


def test_constants_are_what_they_say() -> None:
    with mpmath.mp.workdps(60):
        ln2 = mpmath.log(2)
        high = mpmath.floor(ln2 * 2**32) / 2**32
        assert float(high) == functions_reference.LN2_HIGH
        assert float(ln2 - high) == functions_reference.LN2_LOW
        assert float(1 / ln2) == functions_reference.LOG2_E
        assert float(2 / mpmath.sqrt(mpmath.pi)) == functions_reference.TWO_OVER_SQRT_PI
        assert float(1 / mpmath.sqrt(2 * mpmath.pi)) == functions_reference.ONE_OVER_SQRT_2PI
        assert float(mpmath.sqrt(2)) == functions_reference.SQRT_2


def test_the_tail_is_the_interpolant_it_says() -> None:
    with mpmath.mp.workdps(60):
        for step in range(301):
            y = mpmath.mpf(step) / 20
            v = (7 * y - 15) / (5 * y + 15)
            fitted = sum(mpmath.mpf(c) * v**n for n, c in enumerate(functions_reference.TAIL))
            true = mpmath.exp(y * y / 2) * mpmath.erfc(y / mpmath.sqrt(2)) / 2
            assert abs(fitted / true - 1) < 2.0**-49


@every
def test_the_reference_keeps_its_margin_against_multiple_precision(function: Function) -> None:
    values = torch.from_numpy(np.random.default_rng(6).normal(0, 3, 300).astype(np.float32)).double()
    if function.name in ("log", "sqrt", "rsqrt"):
        values = values.abs()
    for x, value in zip(values.tolist(), function.reference(values.clone()).tolist(), strict=True):
        with mpmath.mp.workdps(60):
            true = REAL[function.name](mpmath.mpf(x))
            size = abs(true) if function.name != "gelu_derivative" else abs(true) + mpmath.mpf(2) ** -2
            assert abs(value - true) <= size * mpmath.mpf(2) ** -46


@pytest.mark.slow
@every
def test_exhaustively(function: Function) -> None:
    """All 2**32 arguments; minutes each. The table in docs/canonical-functions.md holds these numbers."""
    found = exhaustive.search(function)
    assert not found.wrong
    assert found.exceptions == EXCEPTIONS.get(function.name, {})


def test_the_search_finds_what_it_should() -> None:
    """A part of the search, around the exceptions of log, and the rule for halves."""
    for key, value in EXCEPTIONS["log"].items():
        found = exhaustive.search(functions.log, key - 50, key + 50)
        assert found.exceptions == {key: value}
        assert not found.wrong
    for sign in (0, SIGN):
        found = exhaustive.search(functions.gelu, sign + (1 << 24) - 2000, sign + (1 << 24) + 2000)
        assert not found.wrong
        assert found.arguments == 4000


def test_the_table_of_exceptions_is_as_the_search_writes_it() -> None:
    text = (Path(functions.__file__).parent / "exceptions.py").read_text(encoding="utf-8")
    assert text == exhaustive.module(EXCEPTIONS)
