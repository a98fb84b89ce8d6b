"""Convolutions and matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from repro.canonical import convolution, native
from repro.canonical.aten.registry import Context, form, require
from repro.canonical.convolution import Geometry
from repro.canonical.matrix import matrix_product
from repro.canonical.scale import Quantised, exact_sum, quantise

_Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]


@form("convolution")
def _convolution(
    context: Context,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    if x.ndim == weight.ndim - 1:
        x = x.unsqueeze(0)
        args = (weight, bias, stride, padding, dilation, transposed, output_padding, groups)
        return _convolution(context, x, *args).squeeze(0)
    geometry = Geometry.of(weight, stride, padding, dilation, groups)
    if transposed:
        return _back(context, x, weight, bias, geometry, _transposed_sizes(x, geometry, output_padding))
    return _forward(context, x, weight, bias, geometry)


@form("convolution_backward")
def _convolution_backward(
    context: Context,
    dy: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    needs: Sequence[bool],
) -> _Gradients:
    geometry = Geometry.of(weight, stride, padding, dilation, groups)
    dx = dw = db = None
    if needs[0] and transposed:
        dx = _forward(context, dy, weight, None, geometry)
    elif needs[0]:
        dx = _back(context, dy, weight, None, geometry, x.shape[2:])
    if needs[1]:
        seen, sent = (dy, x) if transposed else (x, dy)
        dw = native.weight_gradient(seen, sent, weight.shape, geometry) if native.serves(seen, geometry) else None
        dw = convolution.weight_gradient(seen, sent, weight.shape, geometry) if dw is None else dw
    if needs[2]:
        db = exact_sum(dy, (0, *range(2, dy.ndim))).float()
    return dx, dw, db


def _forward(context: Context, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Convolve by the compiled kernels where they serve, else in float64: the same bits."""
    if native.serves(x, geometry):
        packed = context.weight(weight, "packed", native.pack_weight)
        outputs = geometry.outputs(x.shape[2:])
        y = native.convolved(x, packed, bias, geometry, outputs, edges=geometry.padding)
        if y is not None:
            return y
    known = context.weight(weight, "by-output", convolution.weight_by_output)
    return convolution.convolve(x, weight, bias, geometry, quantised_weight=known)


def _back(
    context: Context, dy: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry, sizes: Sequence[int]
) -> Tensor:
    """Return an input gradient: by the kernels a convolution of dy, its places a stride apart, with turned weights."""
    turned = geometry.turned() if native.serves(dy, geometry) else None
    if turned is not None:
        packed = context.weight(weight, "packed-back", native.pack_weight_back)
        dx = native.convolved(dy, packed, bias, turned, tuple(sizes), edges=turned.padding, spread=geometry.stride[0])
        if dx is not None:
            return dx
    known = _weight_by_input(context, weight, geometry.groups)
    return convolution.convolve_back(dy, weight, bias, geometry, sizes, quantised_weight=known)


def _weight_by_input(context: Context, weight: Tensor, groups: int) -> Quantised:
    return context.weight(weight, f"by-input-{groups}", lambda w: convolution.weight_by_input(w, groups))


def _transposed_sizes(x: Tensor, geometry: Geometry, output_padding: Sequence[int]) -> tuple[int, ...]:
    extra = tuple(output_padding) * len(geometry.kernel) if len(output_padding) == 1 else tuple(output_padding)
    return tuple(
        (size - 1) * s - 2 * p + d * (k - 1) + 1 + more
        for size, k, s, p, d, more in zip(
            x.shape[2:],
            geometry.kernel,
            geometry.stride,
            geometry.padding,
            geometry.dilation,
            extra,
            strict=True,
        )
    )


def _columns(b: Tensor) -> Quantised:
    return quantise(b, (-2,))


def _product(context: Context, a: Tensor, b: Tensor, bias: Tensor | None) -> Tensor:
    """Multiply by the compiled kernels where they serve, else in float64: the same bits."""
    if native.multiplies(a, b, bias):
        y = native.matrix_product(a, context.weight(b, "packed-columns", native.pack_columns), bias)
        if y is not None:
            return y
    return matrix_product(a, b, bias, quantised_b=context.weight(b, "columns", _columns))


@form("mm", "bmm")
def _mm(context: Context, a: Tensor, b: Tensor) -> Tensor:
    return _product(context, a, b, None)


@form("addmm", "baddbmm", "addmm_")
def _addmm(context: Context, bias: Tensor, a: Tensor, b: Tensor, beta: float = 1, alpha: float = 1) -> Tensor:
    require(alpha == 1 and beta in (0, 1), f"factors beta={beta}, alpha={alpha} are not specified; only 1 is")
    return _product(context, a, b, None if beta == 0 else bias)


@form("mv")
def _mv(_: Context, a: Tensor, b: Tensor) -> Tensor:
    return matrix_product(a, b.unsqueeze(1)).squeeze(1)


@form("addmv")
def _addmv(_: Context, bias: Tensor, a: Tensor, b: Tensor, beta: float = 1, alpha: float = 1) -> Tensor:
    require(alpha == 1 and beta == 1, f"factors beta={beta}, alpha={alpha} are not specified; only 1 is")
    return matrix_product(a, b.unsqueeze(1), bias.unsqueeze(-1)).squeeze(1)


@form("dot")
def _dot(_: Context, a: Tensor, b: Tensor) -> Tensor:
    return matrix_product(a.unsqueeze(0), b.unsqueeze(1)).reshape(())
