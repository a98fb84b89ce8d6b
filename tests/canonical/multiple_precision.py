"""The functions in multiple precision, and the float32 value nearest to them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction

import mpmath
from mpmath import mp, mpf

DIGITS = 60
_FINITE_MAX = Fraction(2**24 - 1) * 2**104
NAN = 0x7FC00000
INFINITY = 0x7F800000
SIGN = 0x80000000


def _normal(x: mpf) -> mpf:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def _density(x: mpf) -> mpf:
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


REAL: dict[str, Callable[[mpf], mpf]] = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "gelu": lambda x: x * _normal(x),
    "gelu_derivative": lambda x: _normal(x) + x * _density(x),
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "sqrt": mpmath.sqrt,
}

AT_INFINITY = {
    "exp": (INFINITY, 0),
    "log": (INFINITY, NAN),
    "sigmoid": (0x3F800000, 0),
    "silu": (INFINITY, SIGN),
    "tanh": (0x3F800000, 0xBF800000),
    "erf": (0x3F800000, 0xBF800000),
    "gelu": (INFINITY, SIGN),
    "gelu_derivative": (0x3F800000, SIGN),
    "rsqrt": (0, NAN),
    "sqrt": (INFINITY, NAN),
}
"""The bits of the limits at +inf and -inf."""

AT_ZERO = {
    "exp": (0x3F800000, 0x3F800000),
    "log": (SIGN | INFINITY, SIGN | INFINITY),
    "sigmoid": (0x3F000000, 0x3F000000),
    "gelu_derivative": (0x3F000000, 0x3F000000),
    "rsqrt": (INFINITY, SIGN | INFINITY),
}
"""The bits at +0 and -0; the others keep their argument."""


def rounded(name: str, bits: int) -> int:
    """Return the bits of the float32 value nearest to the function at the float32 argument with these bits."""
    magnitude, negative = bits & ~SIGN, bool(bits & SIGN)
    if magnitude > INFINITY:
        return NAN
    if magnitude == INFINITY:
        return AT_INFINITY[name][negative]
    if magnitude == 0:
        return AT_ZERO.get(name, (0, SIGN))[negative]
    if negative and name in ("log", "sqrt", "rsqrt"):
        return NAN
    x = struct.unpack("<f", struct.pack("<I", bits))[0]
    if name == "gelu_derivative":
        x = max(-1000.0, min(x, 1000.0))  # the value rounds alike from there on
    with mp.workdps(DIGITS + (200 if abs(x) < 1e-20 else 0)):
        value = REAL[name](mpf(x))
        sign, mantissa, exponent, _ = value._mpf_
        size = int(exponent) + int(mantissa).bit_length()
        exact = Fraction(int(mantissa)) * Fraction(2) ** (int(exponent) + min(0, 200 - size) + max(0, -200 - size))
    vanished = exact == 0 and negative and AT_INFINITY[name][1] == SIGN  # the limit is -0, from below
    below_zero = bool(sign) or vanished
    return nearest(exact) | (SIGN if below_zero else 0)


def nearest(magnitude: Fraction) -> int:
    """Return the bits of the float32 nearest to an exact value that is not negative, ties to even."""
    if magnitude == 0:
        return 0
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent  # now 2**exponent <= magnitude < 2**(exponent + 1)
    unit = max(exponent - 23, -149)
    whole = round(magnitude / Fraction(2) ** unit)  # half to even
    if whole * Fraction(2) ** unit > _FINITE_MAX:
        return INFINITY
    return whole + ((unit + 149) << 23) if unit > -149 else whole
