"""exp and log in float64 from + - x / and bits alone: a power of two tensors is defined by these very sequences.

Every line is one float64 operation an element; no compiler sees two of them together.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from repro.canonical.scale import power_of_two

_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # ln 2 cut to 33 bits: its products with an exponent are exact
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_LOG2_E = 1.4426950408889634
_LIMIT = 700.0
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
_MANTISSA_BITS = 52


def exp64(x: Tensor) -> Tensor:
    """Return e**x, x drawn into [-700, 700]: k = round(x log2 e), r = (x - k L1) - k L2, Taylor to degree 13, 2**k."""
    known = torch.where(torch.isnan(x), 0.0, x).clamp(-_LIMIT, _LIMIT)
    k = torch.round(known * _LOG2_E)
    r = (known - k * _LN2_HIGH) - k * _LN2_LOW
    total = torch.full_like(r, 1 / math.factorial(13))
    for degree in range(12, -1, -1):
        total = total * r
        total = total + 1 / math.factorial(degree)
    value = total * power_of_two(k.to(torch.int64))
    value = torch.where(x == torch.inf, torch.inf, torch.where(x == -torch.inf, 0.0, value))
    return torch.where(torch.isnan(x), torch.nan, value)


def log64(x: Tensor) -> Tensor:
    """Return ln x for x >= 0: m = x / 2**k in [sqrt 1/2, sqrt 2), s = (m-1)/(m+1), 12 odd terms, k L1 + (p + k L2)."""
    usable = torch.isfinite(x) & (x > 0)
    bits = torch.where(usable, x, 1.0).view(torch.int64)
    k = (bits - _ROOT_HALF_BITS) >> _MANTISSA_BITS
    m = (bits - (k << _MANTISSA_BITS)).view(torch.float64)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    total = torch.full_like(s, 2 / 23)
    for odd in range(21, 0, -2):
        total = total * square
        total = total + 2 / odd
    whole = k.double()
    value = whole * _LN2_HIGH + (total * s + whole * _LN2_LOW)
    value = torch.where(x == 0, -torch.inf, torch.where(x == torch.inf, torch.inf, value))
    return torch.where(torch.isnan(x) | (x < 0), torch.nan, value)
