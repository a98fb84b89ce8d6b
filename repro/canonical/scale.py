"""Quantities on a power-of-two grid, and sums of them that no order can change.

Every function takes and gives plain tensors; float64 lives only inside an operation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BITS = 20
"""The bit budget B of canonical-1: operands of a dot product are integers of magnitude at most 2**B."""

MANTISSA = 53
"""Integers up to 2**53 are float64 values, so sums that stay below are exact in any order."""

_BIAS = 1023
_FIELD = 0x7FF
_FLOAT32_EXPONENT = 127  # the largest e for which 2**e is a float32


@dataclass(frozen=True)
class Quantised:
    """Integers on a grid: ``values * unit`` is what they stand for.

    Attributes:
        values: integer-valued float64 or float32.
        unit: float64, a power of two per group, its group axes kept with length 1; NaN where the group held NaN or Inf.
    """

    values: Tensor
    unit: Tensor


def exponent(magnitude: Tensor) -> Tensor:
    """Return e with 2**(e-1) <= a < 2**e for every finite a > 0, and 0 for a = 0.

    Args:
        magnitude: float64, not negative; every float32 is a normal float64.
    """
    field = (magnitude.view(torch.int64) >> 52) & _FIELD
    return torch.where(magnitude == 0, 0, field - (_BIAS - 1))


def power_of_two(e: Tensor) -> Tensor:
    """Return 2**e as float64, made from bits. ``e``: int64 in [-1022, 1023]."""
    return ((e + _BIAS) << 52).view(torch.float64)


def largest(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Return max |x| over ``dims``, kept with length 1; NaN where there is one. All of x where ``dims`` is empty."""
    if not dims:
        return x.abs()
    low, high = x.amin(tuple(dims), keepdim=True), x.amax(tuple(dims), keepdim=True)
    return torch.maximum(-low, high)


def quantise(x: Tensor, dims: Sequence[int], bits: int = BITS) -> Quantised:
    """Return Q(x, group, bits): q = round-half-even(x / 2**(e - bits)), e the exponent of the group's largest |x|.

    Args:
        x: float32 or float64, any shape.
        dims: the axes of a group; the scale varies along the others.
        bits: |q| <= 2**bits.

    Returns:
        the integers, in float32 where they are exact there (bits <= 23, x float32, no group below 2**-107),
        else in float64; the same integers either way.
    """
    magnitude = largest(x, dims).double()
    finite = torch.isfinite(magnitude)
    e = torch.where(finite, exponent(magnitude), 0)
    unit = power_of_two(e - bits)
    if x.dtype == torch.float32 and bits <= 23 and x.numel() and int(e.min()) >= bits - _FLOAT32_EXPONENT:
        scaled = x * power_of_two(bits - e).float()
    else:
        scaled = x.double() * power_of_two(bits - e)
    values = scaled.round_()
    if not bool(finite.all()):
        values = torch.where(finite, values, 0.0)
        unit = torch.where(finite, unit, torch.nan)
    return Quantised(values, unit)


def sum_bits(terms: int) -> int:
    """Return 53 - ceil(log2 n): with so many bits n integers add up exactly in float64."""
    return MANTISSA - math.ceil(math.log2(max(terms, 1)))


def exact_sum(x: Tensor, dims: Sequence[int], *, keepdim: bool = False) -> Tensor:
    """Return SUM(x) over ``dims`` as float64: quantised to :func:`sum_bits`, added as integers, scaled.

    Args:
        x: float32, or float64 values such as exact products.
        dims: the axes to add over; all where empty.
    """
    axes = tuple(dim % x.ndim for dim in dims) if dims else tuple(range(x.ndim))
    terms = math.prod(x.shape[axis] for axis in axes)
    if terms == 0:
        return x.sum(axes, keepdim=keepdim, dtype=torch.float64)
    parts = quantise(x, axes, sum_bits(terms))
    total = (parts.values.sum(axes, keepdim=True, dtype=torch.float64) + 0.0) * parts.unit
    return total if keepdim else total.reshape([size for axis, size in enumerate(x.shape) if axis not in axes])


def epilogue(total: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return RN32(RN64((S + 0) * scale + bias)); the product is exact, so fusing changes nothing.

    Args:
        total: integer-valued float64 of any shape; overwritten.
        scale: float64 powers of two that broadcast to it.
        bias: float32 that broadcasts to it.
    """
    value = total.add_(0.0).mul_(scale)
    if bias is not None:
        value = value.add_(bias.double())
    return value.float()
