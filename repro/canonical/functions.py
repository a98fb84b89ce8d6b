"""Functions of one variable, correctly rounded: RN32(f(x)) for every float32 x.

Any float64 approximation with a known error bound gives the value wherever both ends of its interval round to one
float32 (Ziv, 1991). So the vendor's float64 functions serve, although their bits vary; the few elements that lie too
near to a midpoint are settled in multiple precision. Nothing of this depends on how the approximation was made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import torch
from torch import Tensor

from repro.canonical.reference import exp64, log64

__all__ = ["erf", "exp", "exp64", "gelu", "gelu_derivative", "log", "log64", "rsqrt", "sigmoid", "silu", "sqrt", "tanh"]

_RELATIVE = 2.0**-44
"""More than the float64 functions of any vendor err; measured ones are below 2**-50."""

_RELATIVE_OF_TAILS = 2.0**-41
"""The same for erfc in its tail, where the argument's rounding counts up to 2 y**2 times."""

_PRECISIONS = (120, 240, 480, 960)  # bits
_MANTISSA = 24
_LEAST = -149  # exponent of the least float32 above zero

Approximation = Callable[[Tensor], tuple[Tensor, Tensor]]
Exact = Callable[[Any], Any]


def _rounded(x: Tensor, approximation: Approximation, exact: Exact) -> Tensor:
    """Return RN32(f(x)).

    Args:
        x: float32.
        approximation: float64 x to values and bounds of their error.
        exact: the function of an mpmath number.
    """
    value, error = approximation(x.double())
    low, high = (value - error).float(), (value + error).float()
    low = torch.where(torch.isfinite(value), low, value.float())
    unsettled = (low != high) & torch.isfinite(x) & torch.isfinite(value)
    if bool(unsettled.any()):
        known = {each: _settled(each, exact) for each in set(x[unsettled].tolist())}
        low[unsettled] = torch.tensor(
            [known[each] for each in x[unsettled].tolist()], dtype=torch.float64, device=x.device
        ).float()
    return low


def _settled(x: float, exact: Exact) -> float:
    """Return the float32 nearest to f(x), by as many bits as it takes."""
    for bits in _PRECISIONS:
        with mpmath.workprec(bits + 32):
            value = exact(mpmath.mpf(x))
            margin = abs(value) * mpmath.mpf(2) ** -bits
            ends = [_nearest(_fraction(value - margin)), _nearest(_fraction(value + margin))]
        if ends[0] == ends[1]:
            return ends[0]
    return _nearest(_fraction(value))  # the value is a midpoint itself: ties go to the even one


def _fraction(value: Any) -> Fraction:
    sign, mantissa, power, _ = value._mpf_
    whole = Fraction(int(mantissa)) * Fraction(2) ** int(power)
    return -whole if sign else whole


def _nearest(value: Fraction) -> float:
    """Return the float32 nearest to a rational, ties to even."""
    if value == 0:
        return 0.0
    magnitude = abs(value)
    power = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    power += magnitude >= Fraction(2) ** power  # now 2**(power-1) <= magnitude < 2**power
    quantum = Fraction(2) ** max(power - _MANTISSA, _LEAST)
    rounded = round(magnitude / quantum) * quantum
    with np.errstate(over="ignore"):
        return math.copysign(float(np.float32(float(rounded))), value)


def _relative(value: Tensor) -> tuple[Tensor, Tensor]:
    return value, value.abs() * _RELATIVE


def exp(x: Tensor) -> Tensor:
    """Return RN32(e**x)."""
    return _rounded(x, lambda wide: _relative(torch.exp(wide)), mpmath.exp)


def log(x: Tensor) -> Tensor:
    """Return RN32(ln x): -inf at zero, NaN below."""
    return _rounded(x, lambda wide: _relative(torch.log(wide)), mpmath.log)


def sigmoid(x: Tensor) -> Tensor:
    """Return RN32(1 / (1 + e**-x))."""
    return _rounded(x, lambda wide: _relative(1.0 / (1.0 + torch.exp(-wide))), lambda m: 1 / (1 + mpmath.exp(-m)))


def silu(x: Tensor) -> Tensor:
    """Return RN32(x / (1 + e**-x)): -0 at -inf."""
    result = _rounded(x, lambda wide: _relative(wide / (1.0 + torch.exp(-wide))), lambda m: m / (1 + mpmath.exp(-m)))
    return torch.where(x == -torch.inf, -0.0, result)


def tanh(x: Tensor) -> Tensor:
    """Return RN32(tanh x)."""
    return _rounded(x, lambda wide: _relative(torch.tanh(wide)), mpmath.tanh)


def erf(x: Tensor) -> Tensor:
    """Return RN32(erf x)."""
    return _rounded(x, lambda wide: _relative(torch.erf(wide)), mpmath.erf)


def _normal_distribution(wide: Tensor) -> Tensor:
    return 0.5 * torch.erfc(wide * -math.sqrt(0.5))


def _gelu64(wide: Tensor) -> tuple[Tensor, Tensor]:
    value = wide * _normal_distribution(wide)
    return value, value.abs() * _RELATIVE_OF_TAILS


def gelu(x: Tensor) -> Tensor:
    """Return RN32(x * Phi(x)), Phi the normal distribution: -0 at -inf."""
    result = _rounded(x, _gelu64, lambda m: m * mpmath.ncdf(m))
    return torch.where(x == -torch.inf, -0.0, result)


def _gelu_derivative64(wide: Tensor) -> tuple[Tensor, Tensor]:
    first = _normal_distribution(wide)
    second = wide * (torch.exp(wide * wide * -0.5) * (1 / math.sqrt(2 * math.pi)))
    return first + second, (first + second.abs()) * _RELATIVE_OF_TAILS


def gelu_derivative(x: Tensor) -> Tensor:
    """Return RN32(Phi(x) + x * phi(x)): 1 at inf, -0 at -inf."""
    result = _rounded(x, _gelu_derivative64, lambda m: mpmath.ncdf(m) + m * mpmath.npdf(m))
    return torch.where(torch.isinf(x), torch.where(x > 0, 1.0, -0.0), result)


def rsqrt(x: Tensor) -> Tensor:
    """Return RN32(1 / sqrt x): infinities at the zeros, with their sign."""
    return _rounded(x, lambda wide: _relative(1.0 / torch.sqrt(wide)), lambda m: 1 / mpmath.sqrt(m))


def sqrt(x: Tensor) -> Tensor:
    """Return RN32(sqrt x).

    A float32 midpoint has 25 bits and its square 50, so x differs from every midpoint's square by 2**-50 of itself:
    rounding any float64 root with a relative error below 2**-51 is right.
    """
    return torch.sqrt(x.double()).float()
