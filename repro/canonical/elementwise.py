"""Chains of float64 operations in which every product is exact, each rounded once to float32.

Products of two float32 fit 48 bits, so a compiler that fuses multiply and add changes nothing. Constants are
rounded to float32 once, on entry. The chains of optimisers are compiled where a C compiler is, with the same bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import torch
from torch import Tensor

from repro.canonical import functions, native


def constant(value: float) -> float:
    """Return RN32(value); out of range becomes an infinity, as IEEE rounds."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def operand(value: Tensor | float, like: Tensor) -> Tensor:
    """Return a number as float32 on the device of ``like``, so that no kernel turns a division into a product."""
    if isinstance(value, Tensor):
        return value.to(like.device) if value.ndim == 0 else value
    return torch.tensor(constant(value), dtype=torch.float32, device=like.device)


def add(x: Tensor, y: Tensor, alpha: float = 1.0) -> Tensor:
    """RN32(x + alpha*y)."""
    return x + y if alpha == 1 else _chain("add_scaled", x, y, y, alpha, lambda: y)


def multiply_add(x: Tensor, a: Tensor, b: Tensor, value: float = 1.0) -> Tensor:
    """addcmul: RN32(x + v*RN32(a*b))."""
    return _chain("add_product", x, a, b, value, lambda: a * b)


def divide_add(x: Tensor, a: Tensor, b: Tensor, value: float = 1.0) -> Tensor:
    """addcdiv: RN32(x + v*RN32(a/b))."""
    return _chain("add_quotient", x, a, b, value, lambda: a / b)


def interpolate(a: Tensor, b: Tensor, weight: Tensor | float) -> Tensor:
    """lerp: RN32(a + w*RN32(b - a))."""
    if isinstance(weight, Tensor):
        return (a.double() + (b - a).double() * operand(weight, a).double()).float()
    return _chain("add_difference", a, b, a, weight, lambda: b - a)


def _chain(kernel: str, x: Tensor, a: Tensor, b: Tensor, value: float, term: Callable[[], Tensor]) -> Tensor:
    """Return RN32(x + v*t) by the kernel that makes t of a and b, or else of ``term``."""
    factor = constant(value)
    if native.chains(x, a, b):
        return native.chain(kernel, x, a, b, factor)
    return (x.double() + term().double() * factor).float()


def sigmoid_gradient(g: Tensor, y: Tensor) -> Tensor:
    """RN32(RN32(g * RN32(1 - y)) * y)."""
    return (g * (1.0 - y)) * y


def tanh_gradient(g: Tensor, y: Tensor) -> Tensor:
    """RN32(g * RN32(1 - y*y))."""
    wide = y.double()
    return g * (1.0 - wide * wide).float()


def silu_gradient(g: Tensor, x: Tensor) -> Tensor:
    """RN32(g * RN32(s * RN32(1 + x*RN32(1 - s)))) with s = F_sigmoid(x)."""
    s = functions.sigmoid(x)
    inner = (1.0 + x.double() * (1.0 - s).double()).float()
    inner = torch.where(torch.isinf(x), (x > 0).float(), inner)  # inf * 0 would be NaN; the limits are 1 and 0
    return g * (s * inner)


def gelu_gradient(g: Tensor, x: Tensor) -> Tensor:
    """RN32(g * F_gelu'(x))."""
    return g * functions.gelu_derivative(x)


def power(x: Tensor, exponent: float) -> Tensor:
    """X to a constant: products for 2 and 3, F_sqrt and F_rsqrt for halves, else :func:`power_of_tensors`."""
    if exponent == 2:
        return x * x
    if exponent == 3:
        return (x * x) * x
    if exponent == 1:
        return x.clone()
    if exponent == 0:
        return torch.ones_like(x)
    if exponent == -1:
        return torch.ones_like(x) / x
    if exponent == 0.5:
        return square_root(x)
    if exponent == -0.5:
        return functions.rsqrt(x)
    return power_of_tensors(x, operand(exponent, x))


def square_root(x: Tensor) -> Tensor:
    """F_sqrt(x)."""
    return native.square_root(x) if native.chains(x) else functions.sqrt(x)


def power_of_tensors(x: Tensor, y: Tensor) -> Tensor:
    """RN32(exp64(y * log64(|x|))), the one operation that is defined by a literal sequence; signs and limits as IEEE.

    A negative x takes an integer y only: the sign is that of an odd power, any other y gives NaN.
    """
    x, y = torch.broadcast_tensors(x, y)
    magnitude = functions.exp64(y.double() * functions.log64(x.abs().double())).float()
    whole = torch.floor(y) == y
    odd = whole & (torch.remainder(y, 2.0) == 1.0)
    negative = torch.signbit(x)
    result = torch.where(negative & odd, -magnitude, magnitude)
    result = torch.where((x < 0) & ~whole & torch.isfinite(x), torch.nan, result)
    one = (y == 0) | (x == 1) | ((x == -1) & torch.isinf(y))
    result = torch.where(torch.isnan(x) | torch.isnan(y), torch.nan, result)
    return torch.where(one, torch.ones_like(result), result)
