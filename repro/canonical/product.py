"""Exact products of integer matrices, by two independent routes that must agree to the bit.

``float64``: one pass where every partial sum is known to stay within 2**53, else exact chunks. ``int8``: balanced
digits of base 128, nine ``_int_mm`` products, recombined by powers of 128. Digits lie in [-64, 64]: full bytes
are wrong on x86 CPUs without VNNI, whose 16-bit intermediate sums saturate.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from repro.canonical.scale import BITS, MANTISSA

Route = Literal["float64", "int8"]

ONE_PASS = 2 ** (MANTISSA - 2 * BITS)
"""8192: with |q| <= 2**20 that many products add up within 2**53, whatever the order."""

NORM_LIMIT = 2.0 ** (MANTISSA - BITS)
"""A column with this 1-norm or less keeps every partial sum within 2**53, whatever its length."""

DIGITS = 3
BASE = 128
INT8_CONTRACTED = 2**17
"""So many digit products, three of them added, stay within int32."""

INT64_CONTRACTED = 2**23
"""So many products of 2**40 stay within int64."""


def integer_product(a: Tensor, b: Tensor, route: Route = "float64", *, certified: bool = False) -> Tensor:
    """Return RN64(sum_k a[..., m, k] b[..., k, n]), the sum taken over the integers.

    Args:
        a: integer-valued float32 or float64 (..., M, K), |a| <= 2**20.
        b: the same, (..., K, N).
        route: how; the result is the same.
        certified: every column of b is known to have a 1-norm of at most :data:`NORM_LIMIT`.
    """
    if route == "int8":
        return _by_digits(a, b)
    a, b = a.double(), b.double()
    length = a.shape[-1]
    if length <= ONE_PASS or certified or _certified(a, b):
        return torch.matmul(a, b)
    return joined(
        [
            torch.matmul(a[..., start : start + ONE_PASS], b[..., start : start + ONE_PASS, :])
            for start in range(0, length, ONE_PASS)
        ]
    )


class ExactTotal:
    """A sum of integer products that arrive in blocks of the contracted index.

    Args:
        certified: the whole sum is known to stay within 2**53 in any order, so float64 may hold it.
    """

    def __init__(self, certified: bool) -> None:
        self._certified = certified
        self._length = 0
        self._total: Tensor | None = None

    def add_product(self, a: Tensor, b: Tensor, route: Route) -> None:
        """Add sum_k a[..., m, k] b[..., k, n]; raises OverflowError where all of it could leave int64."""
        length = a.shape[-1]
        self._length += length
        if self._certified:
            self._add(integer_product(a, b, route, certified=True))
            return
        if self._length > INT64_CONTRACTED:
            raise OverflowError(f"{self._length} products of 2**40 could leave int64")
        for start in range(0, length, ONE_PASS):
            stop = start + ONE_PASS
            self._add(integer_product(a[..., start:stop], b[..., start:stop, :], route).to(torch.int64))

    def _add(self, part: Tensor) -> None:
        self._total = part if self._total is None else self._total.add_(part)

    def value(self) -> Tensor:
        """Return RN64 of the sum."""
        if self._total is None:
            raise ValueError("nothing was added")
        return self._total.double()


def joined(parts: list[Tensor]) -> Tensor:
    """Return the float64 nearest to the sum of exact integer parts, each within 2**53.

    Two parts need one addition. More are added as int64 and converted once.

    Raises:
        OverflowError: so many parts could leave int64.
    """
    if len(parts) <= 2:
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]
    if len(parts) > INT64_CONTRACTED // ONE_PASS:
        raise OverflowError(f"{len(parts)} chunks of 2**53 could leave int64")
    total = parts[0].to(torch.int64)
    for part in parts[1:]:
        total += part.to(torch.int64)
    return total.double()


def largest_norm(columns: Tensor, dims: tuple[int, ...]) -> float:
    """Return the largest 1-norm of integer columns; exact, or already beyond :data:`NORM_LIMIT`."""
    if columns.numel() == 0:
        return 0.0
    return float(columns.abs().sum(dims, dtype=torch.float64).max())


def _certified(a: Tensor, b: Tensor) -> bool:
    """Tell whether the 1-norms of one operand prove that one pass is exact; the smaller operand is asked first."""
    if a.numel() < b.numel():
        return largest_norm(a, (-1,)) <= NORM_LIMIT or largest_norm(b, (-2,)) <= NORM_LIMIT
    return largest_norm(b, (-2,)) <= NORM_LIMIT or largest_norm(a, (-1,)) <= NORM_LIMIT


def digits(q: Tensor) -> list[Tensor]:
    """Return three int8 digits d with q = d0 + 128 d1 + 128**2 d2, each in [-64, 64].

    Args:
        q: integer-valued, |q| <= 2**20.
    """
    rest = q.to(torch.int32)
    found = []
    for _ in range(DIGITS - 1):
        digit = ((rest + BASE // 2) & (BASE - 1)) - BASE // 2
        found.append(digit.to(torch.int8))
        rest = (rest - digit) >> 7
    return [*found, rest.to(torch.int8)]


def digit_product(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Return RN64 of the integer product of two matrices given by their digits.

    Args:
        a: three int8 (M, K).
        b: three int8 (K, N).
    """
    length = a[0].shape[1]
    if length <= INT8_CONTRACTED:
        return _recombined(_powers(a, b), length)
    total = torch.zeros(a[0].shape[0], b[0].shape[1], dtype=torch.int64, device=a[0].device)
    for start in range(0, length, INT8_CONTRACTED):
        stop = start + INT8_CONTRACTED
        powers = _powers([digit[:, start:stop] for digit in a], [digit[start:stop] for digit in b])
        for power, part in enumerate(powers):
            total += part.to(torch.int64) << 7 * power
    return total.double()


def _powers(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
    """Return the int32 coefficients of 128**0 to 128**4."""
    found: list[Tensor] = []
    for power in range(2 * DIGITS - 1):
        low = max(0, power - DIGITS + 1)
        parts = [_int_mm(a[i], b[power - i]) for i in range(low, min(power, DIGITS - 1) + 1)]
        total = parts[0]
        for part in parts[1:]:
            total += part
        found.append(total)
    return found


def _recombined(powers: list[Tensor], length: int) -> Tensor:
    if length <= ONE_PASS:
        total = powers[-1].double()
        for part in reversed(powers[:-1]):
            total = total.mul_(BASE).add_(part)
        return total
    whole = powers[-1].to(torch.int64)
    for part in reversed(powers[:-1]):
        whole = (whole << 7).add_(part)
    return whole.double()


def _int_mm(a: Tensor, b: Tensor) -> Tensor:
    """``torch._int_mm``; on CUDA padded with zeros to the sizes that it takes."""
    if not a.is_cuda:
        return torch._int_mm(a.contiguous(), b)
    rows, columns = a.shape[0], b.shape[1]
    inner = -a.shape[1] % 16
    a = torch.nn.functional.pad(a, (0, inner, 0, max(32 - rows, -rows % 16)))
    b = torch.nn.functional.pad(b, (0, -columns % 16, 0, inner))
    return torch._int_mm(a.contiguous(), b.contiguous())[:rows, :columns]


def _by_digits(a: Tensor, b: Tensor) -> Tensor:
    if a.ndim == 2 and b.ndim == 2:
        return digit_product(digits(a), digits(b))
    lead = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left = a.expand(*lead, *a.shape[-2:]).reshape(-1, *a.shape[-2:])
    right = b.expand(*lead, *b.shape[-2:]).reshape(-1, *b.shape[-2:])
    parts = [digit_product(digits(one), digits(other)) for one, other in zip(left, right, strict=True)]
    if not parts:
        return torch.zeros(*lead, a.shape[-2], b.shape[-1], dtype=torch.float64, device=a.device)
    return torch.stack(parts).reshape(*lead, a.shape[-2], b.shape[-1])


def contracted_chunks(length: int, each: int) -> list[slice]:
    """Return slices over ``length`` indices so that ``each`` products an index stay within :data:`ONE_PASS`."""
    step = max(1, ONE_PASS // each)
    return [slice(start, start + step) for start in range(0, length, step)] if length else []
