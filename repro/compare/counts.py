"""Which counts a printed share stands for, in exact arithmetic, and how sure a count is.

An accuracy is an integer out of n. A print with d decimals stands for the counts whose share rounds to
it; for some prints there is none, or only one that was cut off instead of rounded (the GRIM test: Brown
and Heathers, "The GRIM Test", 2017, doi:10.1177/1948550616673876). Nothing here goes through floating
point but the interval.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from statistics import NormalDist
from typing import Literal

_PRINTED = re.compile(r"[0-9]+(\.[0-9]+)?")
_SCALES = {"%": 100, "fraction": 1}
_FLOAT32_INFINITY = 0x7F800000


class Attainability(StrEnum):
    """How a print can come from an exact number."""

    ATTAINABLE = "attainable"
    """By rounding, whatever is done with ties."""
    TIE = "tie"
    """Only by rounding an exact tie."""
    CUT_ONLY = "cut only"
    """Only by cutting off what follows the printed places."""
    UNATTAINABLE = "unattainable"


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts out of ``n`` behind one print.

    Attributes:
        value, n, unit: what was asked.
        rounded: the counts whose share rounds to the print.
        tied: the counts whose share lies exactly half a unit of the last place away.
        cut: the further counts whose share, cut to the printed places, is the print.
        nearest: the one or two counts whose shares enclose the print.
    """

    value: str
    n: int
    unit: str
    rounded: range
    tied: tuple[int, ...]
    cut: range
    nearest: tuple[int, ...]

    @property
    def attainability(self) -> Attainability:
        """How the print can come from a count."""
        if self.rounded:
            return Attainability.ATTAINABLE
        if self.tied:
            return Attainability.TIE
        return Attainability.CUT_ONLY if self.cut else Attainability.UNATTAINABLE

    @property
    def giving(self) -> tuple[int, ...]:
        """The counts that give the print, ascending: by rounding or a tie if any does, else by cutting."""
        if not (self.rounded or self.tied):
            return tuple(self.cut)
        return tuple(sorted({*self.rounded, *self.tied}))

    def tie_rules(self, count: int) -> tuple[str, ...]:
        """Return the rules of rounding under which a tied count gives the print."""
        if count not in self.tied:
            raise ValueError(f"{count} of {self.n} is no tie for {self.value}")
        above = _scale(self.unit, self.n) * count > Fraction(self.value)
        even = int(self.value[-1]) % 2 == 0
        return ("half down" if above else "half up", *(("half even",) if even else ()))


def counts_giving(
    value: str, n: int, unit: str = "%", *, print_format: Literal["decimal", "float32"] = "decimal"
) -> Counts:
    """Return the counts out of ``n`` that a printed number stands for.

    Args:
        value: the number as printed, without sign or exponent; its decimals say how far it was rounded.
        n: how many there are in all, at least 1.
        unit: ``%``, ``fraction``, or ``images`` for a print of the count itself.
        print_format: see :class:`repro.schema.Claim`. A share becomes a float32 by rounding, ties to even, so
            that there are neither ties nor cuts to tell apart.

    Raises:
        ValueError: no such number, ``n`` or unit.
    """
    if not _PRINTED.fullmatch(value):
        raise ValueError(f"expected a printed number such as 74.42, got {value!r}")
    scale = _scale(unit, n)
    exact = Fraction(value)
    near = exact / scale
    nearest = tuple(sorted({min(math.floor(near), n), min(math.ceil(near), n)}))
    if print_format == "float32":
        return Counts(value, n, unit, _counts_of_float32(value, n, scale), (), range(0), nearest)
    place = Fraction(1, 10 ** len(value.partition(".")[2]))
    low, high, end = ((exact + shift * place) / scale for shift in (Fraction(-1, 2), Fraction(1, 2), 1))
    return Counts(
        value=value,
        n=n,
        unit=unit,
        rounded=_within(math.floor(low) + 1, math.ceil(high), n),
        tied=tuple(int(tie) for tie in (low, high) if tie.denominator == 1 and 0 <= tie <= n),
        cut=_within(math.floor(high) + 1, math.ceil(end), n),
        nearest=nearest,
    )


def attainability(value: str, exact: Fraction) -> Attainability:
    """Return how a print can come from one exact number in the print's own unit, zero or above."""
    place = Fraction(1, 10 ** len(value.partition(".")[2]))
    above = exact - Fraction(value)
    if 2 * abs(above) < place:
        return Attainability.ATTAINABLE
    if 2 * abs(above) == place:
        return Attainability.TIE
    return Attainability.CUT_ONLY if 0 < above < place else Attainability.UNATTAINABLE


def share_text(count: int, n: int, unit: str = "%", decimals: int = 5) -> str:
    """Return a count's share as text, rounded half to even: ``share_text(2671, 3589) == "74.42184"``."""
    digits = round(_scale(unit, n) * count * 10**decimals)
    whole, rest = divmod(digits, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}" if decimals else str(whole)


def accuracy(correct: int, n: int) -> float:
    """Return ``correct / n``, the nearest double.

    Raises:
        ValueError: ``correct`` is no count out of ``n``.
    """
    if not 0 <= correct <= n or n == 0:
        raise ValueError(f"{correct} is no count out of {n}")
    return correct / n


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion, bounds included.

    With p = correct / n and z the (1 + confidence) / 2 quantile of the normal distribution, its bounds are

        (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n),

    the values π at which |p − π| = z √(π(1 − π)/n). Source: E. B. Wilson, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22 (1927), pages 209-212, doi:10.1080/01621459.1927.10502953.

    Raises:
        ValueError: ``correct`` is no count out of ``n``, or ``confidence`` is not between 0 and 1.
    """
    p = accuracy(correct, n)
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    total = 1 + z * z / n
    # At the ends the exact bounds are 0 and 1, which the rounded difference misses by an ulp or two.
    low = 0.0 if correct == 0 else (centre - half) / total
    high = 1.0 if correct == n else (centre + half) / total
    return low, high


def _scale(unit: str, n: int) -> Fraction:
    """Return what one count is worth in the print's unit."""
    if n < 1:
        raise ValueError(f"expected n of at least 1, got {n}")
    if unit == "images":
        return Fraction(1)
    if unit not in _SCALES:
        raise ValueError(f"expected a share in % or fraction, or images, got unit {unit!r}")
    return Fraction(_SCALES[unit], n)


def _within(start: int, stop: int, n: int) -> range:
    return range(max(start, 0), max(start, 0, min(stop, n + 1)))


def _counts_of_float32(value: str, n: int, scale: Fraction) -> range:
    """Return the counts whose share, rounded to float32, prints as ``value``."""
    try:
        (bits,) = struct.unpack("<I", struct.pack("<f", float(value)))
    except OverflowError:
        return range(0)
    if repr(_float32(bits)) != value or bits + 1 >= _FLOAT32_INFINITY:
        return range(0)  # no float32 prints like this
    exact = Fraction(_float32(bits))
    below = Fraction(_float32(bits - 1)) if bits else -exact
    above = Fraction(_float32(bits + 1))
    low, high = (exact + below) / 2 / scale, (exact + above) / 2 / scale
    if bits % 2 == 0:  # ties go to the even significand
        return _within(math.ceil(low), math.floor(high) + 1, n)
    return _within(math.floor(low) + 1, math.ceil(high), n)


def _float32(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])
