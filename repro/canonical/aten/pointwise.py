"""Element by element: arithmetic, powers, functions, activations, and what optimisers are made of."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from repro.canonical import elementwise, functions
from repro.canonical.aten.registry import Context, form, require
from repro.canonical.elementwise import constant, operand


@form("add.Tensor", "add_.Tensor", "add.Scalar", "add_.Scalar")
def _add(_: Context, x: Tensor, y: Tensor | float, alpha: float = 1) -> Tensor:
    return elementwise.add(x, operand(y, x), alpha)


@form("sub.Tensor", "sub_.Tensor", "sub.Scalar", "sub_.Scalar")
def _sub(_: Context, x: Tensor, y: Tensor | float, alpha: float = 1) -> Tensor:
    return elementwise.add(x, operand(y, x), -alpha) if alpha != 1 else x - operand(y, x)


@form("rsub.Scalar", "rsub.Tensor")
def _rsub(_: Context, x: Tensor, y: Tensor | float, alpha: float = 1) -> Tensor:
    other = operand(y, x)
    return other - x if alpha == 1 else elementwise.add(other, x, -alpha)


@form("mul.Tensor", "mul_.Tensor", "mul.Scalar", "mul_.Scalar")
def _mul(_: Context, x: Tensor, y: Tensor | float) -> Tensor:
    return x * operand(y, x)


@form("div.Tensor", "div_.Tensor", "div.Scalar", "div_.Scalar")
def _div(_: Context, x: Tensor, y: Tensor | float) -> Tensor:
    return x / operand(y, x)


@form("reciprocal", "reciprocal_")
def _reciprocal(_: Context, x: Tensor) -> Tensor:
    return torch.ones_like(x) / x


@form("addcmul", "addcmul_")
def _addcmul(_: Context, x: Tensor, a: Tensor, b: Tensor, value: float = 1) -> Tensor:
    return elementwise.multiply_add(x, a, b, value)


@form("addcdiv", "addcdiv_")
def _addcdiv(_: Context, x: Tensor, a: Tensor, b: Tensor, value: float = 1) -> Tensor:
    return elementwise.divide_add(x, a, b, value)


@form("lerp.Scalar", "lerp_.Scalar", "lerp.Tensor", "lerp_.Tensor")
def _lerp(_: Context, x: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    return elementwise.interpolate(x, end, weight)


@form("pow.Tensor_Scalar", "pow_.Scalar")
def _pow(_: Context, x: Tensor, exponent: float) -> Tensor:
    return elementwise.power(x, float(exponent))


@form("pow.Tensor_Tensor", "pow.Scalar")
def _pow_tensor(_: Context, x: Tensor | float, exponent: Tensor) -> Tensor:
    return elementwise.power_of_tensors(operand(x, exponent), exponent)


@form("square")
def _square(_: Context, x: Tensor) -> Tensor:
    return x * x


def _function(name: str, *operations: str) -> None:
    correctly_rounded = getattr(functions, name)

    @form(*operations)
    def apply(_: Context, x: Tensor) -> Tensor:
        result: Tensor = correctly_rounded(x)
        return result


for _name in ("exp", "log", "sigmoid", "silu", "tanh", "erf", "rsqrt"):
    _function(_name, _name, f"{_name}_")


@form("sqrt", "sqrt_")
def _sqrt(_: Context, x: Tensor) -> Tensor:
    return elementwise.square_root(x)


@form("gelu", "gelu_")
def _gelu(_: Context, x: Tensor, approximate: str = "none") -> Tensor:
    require(approximate == "none", "GELU's tanh approximation is not specified")
    return functions.gelu(x)


@form("gelu_backward")
def _gelu_backward(_: Context, g: Tensor, x: Tensor, approximate: str = "none") -> Tensor:
    require(approximate == "none", "GELU's tanh approximation is not specified")
    return elementwise.gelu_gradient(g, x)


@form("silu_backward")
def _silu_backward(_: Context, g: Tensor, x: Tensor) -> Tensor:
    return elementwise.silu_gradient(g, x)


@form("sigmoid_backward")
def _sigmoid_backward(_: Context, g: Tensor, y: Tensor) -> Tensor:
    return elementwise.sigmoid_gradient(g, y)


@form("tanh_backward")
def _tanh_backward(_: Context, g: Tensor, y: Tensor) -> Tensor:
    return elementwise.tanh_gradient(g, y)


@form("leaky_relu", "leaky_relu_")
def _leaky_relu(_: Context, x: Tensor, slope: float = 0.01) -> Tensor:
    return torch.where(x > 0, x, x * operand(slope, x))


@form("leaky_relu_backward")
def _leaky_relu_backward(_: Context, g: Tensor, x: Tensor, slope: float, self_is_result: bool) -> Tensor:
    return torch.where(x > 0, g, g * operand(slope, x))


@form("_prelu_kernel")
def _prelu(_: Context, x: Tensor, weight: Tensor) -> Tensor:
    return torch.where(x > 0, x, weight * x)


@form("_prelu_kernel_backward")
def _prelu_backward(_: Context, g: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where(x > 0, g, weight * g), torch.where(x > 0, torch.zeros_like(x), x * g)


@form("linspace")
def _linspace(_: Context, start: float, end: float, steps: int, dtype: Any = None, **where: Any) -> Tensor:
    """RN32(start + i*(end - start)/(n - 1)), every step one float64 operation."""
    require(dtype in (None, torch.float32), "a linspace of another type than float32 is not specified")
    if steps == 1:
        return torch.full((1,), constant(start), device=where.get("device"))
    places = torch.arange(steps, dtype=torch.float64)
    values = places * (float(end) - float(start))
    return (values / (steps - 1) + float(start)).float().to(where.get("device"))
