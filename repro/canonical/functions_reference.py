"""Real functions as fixed sequences of float64 operations: + - x / and bits, no library's function.

Each takes and gives float64. The result is within 2**-44 of the function (the derivative of GELU: of the sum of its
terms' magnitudes), and the same bits on every machine with IEEE 754 arithmetic, as every line is an operation of its
own that nothing may fuse. Arguments are float32 values unless a function says otherwise. Constants are the float64
values nearest to what they stand for; the tests compute them again in multiple precision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
"""ln 2 cut to 32 bits: its products with an exponent are exact."""
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
"""ln 2 - LN2_HIGH."""
TWO_OVER_SQRT_PI = float.fromhex("0x1.20dd750429b6dp+0")
ONE_OVER_SQRT_2PI = float.fromhex("0x1.9884533d43651p-2")
SQRT_2 = float.fromhex("0x1.6a09e667f3bcdp+0")

_BIAS = 1023
_FRACTION = (1 << 52) - 1
_SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
_RSQRT_START = 0x5FE6EB50C7B537A9
"""The start of Newton's iteration for 1/sqrt(x) from the bits of x (Lomont 2003, for float64)."""

_EXP = [1 / math.factorial(n) for n in range(14)]
_LOG = [1 / (2 * n + 1) for n in range(12)]
_ERF = [(-1) ** n / (math.factorial(n) * (2 * n + 1)) for n in range(18)]
_SERIES_LIMIT = 0.75

TAIL_LIMIT = 15.0
"""The tail of the normal distribution is fitted up to here; beyond, x * Phi(x) and x * phi(x) round to zero."""

TAIL = tuple(
    float.fromhex(c)
    for c in (
        "0x1.46c514a77044ap-3",
        "-0x1.ad1b9ba7436c9p-3",
        "0x1.a2ba4159d7e29p-4",
        "-0x1.d4838df14784ap-6",
        "0x1.a8e13cf4a8280p-10",
        "0x1.826bf817ed8b0p-10",
        "-0x1.686a340d168b1p-13",
        "-0x1.06e187e92b603p-13",
        "0x1.751c1eecf977dp-18",
        "0x1.bdefc38f5120bp-17",
        "0x1.c3dafbd23fbadp-20",
        "-0x1.3b8dbe72ce9ffp-20",
        "-0x1.076247e339367p-21",
        "0x1.02fcabaacecf6p-26",
        "0x1.2b2607a314ce0p-24",
        "0x1.64bcae86098f1p-26",
        "-0x1.65481f7bf3d68p-29",
        "-0x1.1496da78dbe78p-28",
        "-0x1.50cbbe710800ap-30",
        "0x1.1021dd18337f9p-33",
        "0x1.3193a138995a1p-32",
        "0x1.ae69f50763400p-34",
        "-0x1.49400db523c8ap-36",
        "-0x1.7354d1c2efc4dp-36",
        "-0x1.f9058827a2893p-41",
        "0x1.b645146696522p-40",
    )
)
"""exp(y*y/2) * Phi(-y) on [0, 15] as a polynomial in v = (7y - 15)/(5y + 15): interpolated at 26 Chebyshev nodes,
relative error 1.2e-18."""


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Return c0 + c1 x + c2 x**2 + ... by Horner's rule."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x
        total = total + coefficient
    return total


def _reduced(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return r and 2**k with x = k ln 2 + r, |r| <= ln(2)/2; NaN gives NaN and 1. ``|x| <= 700``."""
    k = torch.round(x * LOG2_E)
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    whole = torch.nan_to_num(k).to(torch.int64)
    return r, ((whole + _BIAS) << 52).view(torch.float64)


def exp(x: Tensor) -> Tensor:
    """Return e**x. ``x``: any float64; beyond 700 the result is that of 700, far outside the range of float32."""
    r, scale = _reduced(x.clamp(-700.0, 700.0))
    return _polynomial(r, _EXP) * scale


def _expm1(x: Tensor) -> Tensor:
    """Return e**x - 1. ``|x| <= 700``."""
    r, scale = _reduced(x)
    small = _polynomial(r, _EXP[1:]) * r
    return scale * small + (scale - 1.0)


def log(x: Tensor) -> Tensor:
    """Return ln x. ``x``: any float64 that is not denormal; 0 gives -inf, negative values NaN."""
    bits = x.view(torch.int64) - _SQRT_HALF_BITS
    k = (bits >> 52).to(torch.float64)
    m = ((bits & _FRACTION) + _SQRT_HALF_BITS).view(torch.float64)
    s = (m - 1.0) / (m + 1.0)
    p = _polynomial(s * s, _LOG) * s
    p = p + p
    low = k * LN2_LOW
    low = p + low
    high = k * LN2_HIGH
    result = torch.where(torch.isinf(x), x, high + low)
    result = torch.where(x == 0, -torch.inf, result)
    return torch.where((x < 0) | torch.isnan(x), torch.nan, result)


def sigmoid(x: Tensor) -> Tensor:
    """Return 1/(1 + e**-x)."""
    return 1.0 / (1.0 + exp(-x))


def silu(x: Tensor) -> Tensor:
    """Return x/(1 + e**-x); -inf gives -0."""
    x = x.clamp(min=-700.0)
    return _half_and_more(x, x * sigmoid(x))


def tanh(x: Tensor) -> Tensor:
    """Return tanh x."""
    e = _expm1(-2.0 * x.abs().clamp(max=40.0))
    return torch.copysign(e / (e + 2.0), x)


def rsqrt(x: Tensor) -> Tensor:
    """Return the reciprocal square root; the infinity has the sign of the zero."""
    y = (_RSQRT_START - (x.view(torch.int64) >> 1)).view(torch.float64)
    half = x * 0.5
    for _ in range(4):
        step = half * y
        step = step * y
        y = y * (1.5 - step)
    y = torch.where(torch.isinf(x), 0.0, y)
    y = torch.where(x == 0, torch.copysign(torch.full_like(x, torch.inf), x), y)
    return torch.where((x < 0) | torch.isnan(x), torch.nan, y)


def sqrt(x: Tensor) -> Tensor:
    """Return the square root of x."""
    return torch.where((x == 0) | (x == torch.inf), x, x * rsqrt(x))


def _tail(y: Tensor, exponent: Tensor) -> Tensor:
    """Return Phi(-y), the normal distribution's tail, for 0 <= y <= 15. ``exponent``: -y*y/2, as exact as it is."""
    v = (7.0 * y - 15.0) / (5.0 * y + 15.0)
    return exp(exponent) * _polynomial(v, TAIL)


def _normal(x: Tensor) -> Tensor:
    """Return Phi(x) for |x| <= 15."""
    tail = _tail(x.abs(), x * x * -0.5)
    return torch.where(x > 0, 1.0 - tail, tail)


def erf(x: Tensor) -> Tensor:
    """Return the error function of x."""
    y = x.abs().clamp(max=8.0)
    square = y * y
    series = _polynomial(square, _ERF) * y
    series = series * TWO_OVER_SQRT_PI
    tail = _tail(y * SQRT_2, -square)
    return torch.copysign(torch.where(y < _SERIES_LIMIT, series, 1.0 - (tail + tail)), x)


def gelu(x: Tensor) -> Tensor:
    """Return x Phi(x); -inf gives -0."""
    x = x.clamp(min=-TAIL_LIMIT)
    return _half_and_more(x, x * _normal(x.clamp(max=TAIL_LIMIT)))


def gelu_derivative(x: Tensor) -> Tensor:
    """Return Phi(x) + x phi(x); -inf gives -0."""
    x = x.clamp(-TAIL_LIMIT, TAIL_LIMIT)
    density = exp(x * x * -0.5) * ONE_OVER_SQRT_2PI
    return _normal(x) + x * density


def _half_and_more(x: Tensor, value: Tensor) -> Tensor:
    """Return ``value``, but near zero x/2 moved up a little.

    GELU and SiLU are x/2 + c x*x + O(x**4) with c > 0. Below 2**-60 the second term is lost in float64. It matters
    where x/2 lies halfway between two float32 values, which only denormal results do: the function lies above.
    Everywhere else the nearest halfway place is 2**-25 away, so moving by 2**-50 of x/2 changes no rounding.
    """
    upwards = torch.where(x < 0, torch.full_like(x, 1.0 - 2.0**-50), 1.0 + 2.0**-50)
    return torch.where(x.abs() < 2.0**-60, x * 0.5 * upwards, value)
