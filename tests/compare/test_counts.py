"""Counts behind prints, against brute force over every count."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[import-untyped]

from repro.compare.counts import (
    Attainability,
    accuracy,
    attainability,
    counts_giving,
    share_text,
    wilson_interval,
)

UNITS = {"%": 100, "fraction": 1}
ROUNDINGS = {
    "half up": ROUND_HALF_UP,
    "half down": ROUND_HALF_DOWN,
    "half even": ROUND_HALF_EVEN,
    "cut": ROUND_DOWN,
}


def printed(share: Fraction, decimals: int, rule: str) -> str:
    """Round an exact share as the decimal module does, in enough digits to hold n < 2000 shares apart."""
    with localcontext() as context:
        context.prec = 60
        # Division may round at the 60th digit; a share of n < 2000 with d < 6 decimals is a tie only if its
        # expansion ends long before that.
        quotient = Decimal(share.numerator) / Decimal(share.denominator)
        return format(quotient.quantize(Decimal(1).scaleb(-decimals), rounding=ROUNDINGS[rule]), "f")


@st.composite
def prints(draw: st.DrawFn) -> tuple[str, int, str]:
    n = draw(st.integers(1, 400))
    unit = draw(st.sampled_from(sorted(UNITS)))
    decimals = draw(st.integers(0, 4))
    if draw(st.booleans()):
        share = Fraction(UNITS[unit] * draw(st.integers(0, n)), n)
        return printed(share, decimals, draw(st.sampled_from(sorted(ROUNDINGS)))), n, unit
    digits = draw(st.integers(0, UNITS[unit] * 10**decimals))
    return format(Decimal(digits).scaleb(-decimals), f".{decimals}f"), n, unit


@given(prints())
@example(("63.77", 4000, "%"))
@example(("100", 720, "%"))
@example(("0", 1, "fraction"))
def test_counts_agree_with_brute_force(given_print: tuple[str, int, str]) -> None:
    value, n, unit = given_print
    decimals = len(value.partition(".")[2])
    counts = counts_giving(value, n, unit)
    ways = {
        count: {rule for rule in ROUNDINGS if printed(Fraction(UNITS[unit] * count, n), decimals, rule) == value}
        for count in range(n + 1)
    }
    ties = {"half up", "half down", "half even"}
    assert list(counts.rounded) == [count for count, rules in ways.items() if rules >= ties]
    assert list(counts.tied) == [count for count, rules in ways.items() if rules & ties and not rules >= ties]
    assert list(counts.cut) == [count for count, rules in ways.items() if rules == {"cut"}]
    for count in counts.tied:
        assert set(counts.tie_rules(count)) == ways[count] & ties


@given(prints())
def test_the_giving_counts_have_no_gap(given_print: tuple[str, int, str]) -> None:
    value, n, unit = given_print
    counts = counts_giving(value, n, unit)
    if counts.giving:
        assert list(counts.giving) == list(range(counts.giving[0], counts.giving[-1] + 1))
    assert bool(counts.giving) == (counts.attainability is not Attainability.UNATTAINABLE)


@given(prints())
def test_the_nearest_counts_enclose_the_print(given_print: tuple[str, int, str]) -> None:
    value, n, unit = given_print
    nearest = counts_giving(value, n, unit).nearest
    distance = [abs(Fraction(UNITS[unit] * count, n) - Fraction(value)) for count in range(n + 1)]
    assert min(distance) in [distance[count] for count in nearest]
    shares = [Fraction(UNITS[unit] * count, n) for count in nearest]
    assert shares[0] <= Fraction(value) <= shares[-1]


@given(prints(), st.data())
def test_one_share_is_classified_as_its_count(given_print: tuple[str, int, str], data: st.DataObject) -> None:
    value, n, unit = given_print
    count = data.draw(st.integers(0, n))
    counts = counts_giving(value, n, unit)
    expected = Attainability.UNATTAINABLE
    for counted, name in (
        (counts.cut, Attainability.CUT_ONLY),
        (counts.tied, Attainability.TIE),
        (counts.rounded, Attainability.ATTAINABLE),
    ):
        if count in counted:
            expected = name
    assert attainability(value, Fraction(UNITS[unit] * count, n)) is expected


@pytest.mark.parametrize(
    ("value", "n", "unit", "state", "giving"),
    [
        ("74.42", 3589, "%", Attainability.ATTAINABLE, (2671,)),
        ("73.65", 3589, "%", Attainability.UNATTAINABLE, ()),
        ("73.16", 3589, "%", Attainability.CUT_ONLY, (2626,)),
        ("63.77", 4000, "%", Attainability.TIE, (2551,)),
        ("0.76", 55, "fraction", Attainability.ATTAINABLE, (42,)),
        ("2829", 3068, "images", Attainability.ATTAINABLE, (2829,)),
        ("3069", 3068, "images", Attainability.UNATTAINABLE, ()),
        ("101", 3589, "%", Attainability.UNATTAINABLE, ()),
    ],
)
def test_known_prints(value: str, n: int, unit: str, state: Attainability, giving: tuple[int, ...]) -> None:
    counts = counts_giving(value, n, unit)
    assert counts.attainability is state
    assert counts.giving == giving


def test_a_tie_names_its_rules() -> None:
    assert counts_giving("63.77", 4000).tie_rules(2551) == ("half down",)
    assert counts_giving("63.78", 4000).tie_rules(2551) == ("half up", "half even")
    with pytest.raises(ValueError, match="no tie"):
        counts_giving("63.77", 4000).tie_rules(2550)


@given(st.integers(1, 3000), st.data())
def test_a_float32_print_gives_back_its_count(n: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, n))
    value = str(float(np.float32(100.0 * correct / n)))
    if "e" in value:
        return
    by_brute_force = [count for count in range(n + 1) if str(float(np.float32(100.0 * count / n))) == value]
    assert list(counts_giving(value, n, print_format="float32").giving) == by_brute_force


def test_a_float32_print_that_no_float32_has() -> None:
    counts = counts_giving("99.58333587646485", 720, print_format="float32")
    assert counts.attainability is Attainability.UNATTAINABLE
    assert counts.nearest == (717, 718)


@pytest.mark.parametrize("value", ["", "74,42", "-1", "1e2", ".5", "74.", "nan", "٣"])
def test_no_printed_number(value: str) -> None:
    with pytest.raises(ValueError, match=r"expected a printed number"):
        counts_giving(value, 10)


def test_no_n_and_no_unit() -> None:
    with pytest.raises(ValueError, match="n of at least 1"):
        counts_giving("1", 0)
    with pytest.raises(ValueError, match="got unit 's'"):
        counts_giving("1", 10, "s")


@given(st.integers(1, 2000), st.integers(0, 7), st.data())
def test_share_text_rounds_half_to_even(n: int, decimals: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, n))
    assert share_text(count, n, "%", decimals) == printed(Fraction(100 * count, n), decimals, "half even")


@given(st.integers(1, 10**7), st.data())
def test_accuracy_is_the_nearest_double(n: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, n))
    exact = Fraction(correct, n)
    near = accuracy(correct, n)
    for other in (np.nextafter(near, -1.0), np.nextafter(near, 2.0)):
        assert abs(Fraction(near) - exact) <= abs(Fraction(float(other)) - exact)


@pytest.mark.parametrize(("correct", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_no_count(correct: int, n: int) -> None:
    with pytest.raises(ValueError, match="is no count out of"):
        accuracy(correct, n)
    with pytest.raises(ValueError, match="is no count out of"):
        wilson_interval(correct, n)


@given(st.integers(1, 100_000), st.sampled_from([0.5, 0.9, 0.95, 0.999]), st.data())
def test_wilson_agrees_with_scipy_and_holds_the_share(n: int, confidence: float, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, n))
    low, high = wilson_interval(correct, n, confidence)
    theirs = binomtest(correct, n).proportion_ci(confidence_level=confidence, method="wilson")
    assert low == pytest.approx(theirs.low, rel=1e-9, abs=1e-14)
    assert high == pytest.approx(theirs.high, rel=1e-9, abs=1e-14)
    assert 0 <= low <= correct / n <= high <= 1


def test_wilson_solves_its_equation() -> None:
    # The bounds are where |p - x| = z sqrt(x (1 - x) / n); z of 95 % from printed tables.
    z = 1.959963984540054
    p = 2671 / 3589
    for bound in wilson_interval(2671, 3589):
        assert abs(p - bound) == pytest.approx(z * (bound * (1 - bound) / 3589) ** 0.5, rel=1e-12)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_no_confidence(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson_interval(1, 2, confidence)
