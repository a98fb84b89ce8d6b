"""Batch and layer normalisation, softmax, means, variances and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from repro.canonical import functions, native
from repro.canonical.elementwise import constant
from repro.canonical.scale import exact_sum, sum_bits

Triple = tuple[Tensor | None, Tensor | None, Tensor | None]


def _channels(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(1, -1, *(1,) * (x.ndim - 2))


def _times(factor: Tensor | None, inverse: Tensor) -> Tensor:
    return inverse if factor is None else factor * inverse


def batch_norm_evaluation(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float
) -> Tensor:
    """Y = RN32(RN64(x*a + c)) with inv = F_rsqrt(RN32(rv + eps)), a = RN32(gamma*inv), c = RN32(beta - rm*a).

    Args:
        x: float32 (N, C, ...).
        weight, bias, mean, variance: float32 (C,).
        eps: added to the variance.
    """
    factor, shift = _folded(weight, bias, mean, variance, eps)
    return _affine(x, factor, shift)


def _affine(x: Tensor, factor: Tensor, shift: Tensor | None) -> Tensor:
    """RN32(RN64(x*a + c)) by channel; without a shift RN32(x*a)."""
    if shift is not None and native.by_channel(x):
        return native.affine(x, factor, shift)
    y = x.double() * _channels(factor, x).double()
    if shift is not None:
        y = y + _channels(shift, x).double()
    return y.float()


def _folded(
    weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    factor = _times(weight, inverse_deviation(variance.double(), eps))
    offset = torch.zeros_like(mean) if bias is None else bias
    return factor, (offset.double() - mean.double() * factor.double()).float()


def inverse_deviation(variance: Tensor, eps: float) -> Tensor:
    """F_rsqrt(RN32(v + eps)); ``variance`` is float64."""
    return functions.rsqrt((variance + eps).float())


def batch_norm_training(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalise by the batch: mu = RN32(SUM(x)/n), d = RN32(x - mu), v = SUM(d*d)/n, y = RN32(RN64(d*a + beta)).

    Returns:
        y, mu and inv (float32 (C,)), and SUM(d*d) as float64 (C,).
    """
    n = x.numel() // x.shape[1]
    mean = (_channel_sums(x) / n).float()
    d = x - _channels(mean, x)
    squares = _channel_sums(d, d)
    inverse = inverse_deviation(squares / n, eps)
    return _affine(d, _times(weight, inverse), bias), mean, inverse, squares


def _channel_sums(a: Tensor, b: Tensor | None = None) -> Tensor:
    """SUM(a) or SUM(a*b) by channel, float64 (C,); a, b: float32 (N, C, ...)."""
    if native.by_channel(*(one for one in (a, b) if one is not None)):
        return native.exact_sums(a, b, sum_bits(a.numel() // a.shape[1]))
    axes = (0, *range(2, a.ndim))
    return exact_sum(a if b is None else a.double() * b.double(), axes)


def running(old: Tensor, new: Tensor, momentum: float) -> Tensor:
    """RN32(old*(1-m) + new*m), m and 1-m rounded to float32 first."""
    return (old.double() * constant(1 - momentum) + new.double() * constant(momentum)).float()


def batch_norm_gradient(
    dy: Tensor,
    x: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    inverse: Tensor,
    *,
    training: bool,
    needs: Sequence[bool],
) -> Triple:
    """Return dx, dgamma, dbeta: h = RN32(RN32(x - mu)*inv), s = RN32(SUM dy), t = RN32(SUM dy*h).

    In training dx = RN32(RN32((dy - RN32(s/n)) - h*RN32(t/n)) * RN32(gamma*inv)), otherwise dx = RN32(dy *
    RN32(gamma*inv)).
    """
    n = x.numel() // x.shape[1]
    s = _channel_sums(dy).float()
    h = (x - _channels(mean, x)) * _channels(inverse, x)
    t = _channel_sums(dy, h).float()
    dx = None
    if needs[0]:
        factor = _times(weight, inverse)
        if not training:
            dx = dy * _channels(factor, x)
        elif native.by_channel(dy, h):
            dx = native.centred(dy, h, _mean(s, n), _mean(t, n), factor)
        else:
            dx = _centred(dy, h.double(), _channels(s, x), _channels(t, x), n) * _channels(factor, x)
    return dx, t if needs[1] else None, s if needs[2] else None


def _centred(dy: Tensor, h: Tensor, s: Tensor, t: Tensor, n: int) -> Tensor:
    return ((dy.double() - _mean(s, n).double()) - h * _mean(t, n).double()).float()


def _mean(total: Tensor, n: int) -> Tensor:
    """RN32(total / n)."""
    return (total.double() / n).float()


def layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise the last axes: as a batch's, per row; a = RN32(gamma*inv), y = RN32(RN64(d*a + beta)).

    Returns:
        y, and mean and inv with the normalised axes kept with length 1.
    """
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    n = math.prod(shape)
    mean = (exact_sum(x, axes, keepdim=True) / n).float()
    wide = (x - mean).double()
    inverse = inverse_deviation(exact_sum(wide * wide, axes, keepdim=True) / n, eps)
    y = wide * _times(weight, inverse).double()
    if bias is not None:
        y = y + bias.double()
    return y.float(), mean, inverse


def layer_norm_gradient(
    dy: Tensor,
    x: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    inverse: Tensor,
    weight: Tensor | None,
    needs: Sequence[bool],
) -> Triple:
    """Return dx, dgamma, dbeta: with g = RN32(dy*gamma), dx = RN32(RN32((g - RN32(s/n)) - h*RN32(t/n)) * inv)."""
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    rows = tuple(range(x.ndim - len(shape)))
    n = math.prod(shape)
    h = ((x - mean) * inverse).double()
    dx = None
    if needs[0]:
        g = _times(weight, dy)
        s = exact_sum(g, axes, keepdim=True).float()
        t = exact_sum(g.double() * h, axes, keepdim=True).float()
        dx = _centred(g, h, s, t, n) * inverse
    dgamma = _over_rows(dy.double() * h, rows) if needs[1] else None
    return dx, dgamma, _over_rows(dy.double(), rows) if needs[2] else None


def _over_rows(values: Tensor, rows: tuple[int, ...]) -> Tensor:
    return exact_sum(values, rows).float() if rows else values.float()


def softmax(x: Tensor, dim: int) -> Tensor:
    """T = RN32(x - max), p = F_exp(t), y = RN32(p / SUM p)."""
    p = functions.exp(x - x.amax(dim, keepdim=True))
    return (p.double() / exact_sum(p, (dim,), keepdim=True)).float()


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """RN32(t - F_log(RN32(SUM F_exp(t)))), t = RN32(x - max)."""
    t = x - x.amax(dim, keepdim=True)
    return t - functions.log(exact_sum(functions.exp(t), (dim,), keepdim=True).float())


def softmax_gradient(g: Tensor, y: Tensor, dim: int) -> Tensor:
    """RN32(y * RN32(g - RN32(SUM g*y)))."""
    return y * (g - exact_sum(g.double() * y.double(), (dim,), keepdim=True).float())


def log_softmax_gradient(g: Tensor, y: Tensor, dim: int) -> Tensor:
    """RN32(g - F_exp(y)*RN32(SUM g))."""
    total = exact_sum(g, (dim,), keepdim=True).float()
    return (g.double() - functions.exp(y).double() * total.double()).float()


def mean(x: Tensor, dims: Sequence[int], *, keepdim: bool = False) -> Tensor:
    """RN32(SUM(x) / n)."""
    axes = [dim % x.ndim for dim in dims] if dims else list(range(x.ndim))
    n = math.prod(x.shape[axis] for axis in axes)
    return (exact_sum(x, axes, keepdim=keepdim) / n).float()


def variance(x: Tensor, dims: Sequence[int], correction: float, *, keepdim: bool = False) -> Tensor:
    """RN32(SUM(d*d) / (n - correction)), d = RN32(x - RN32(SUM(x)/n))."""
    axes = tuple(dim % x.ndim for dim in dims) if dims else tuple(range(x.ndim))
    n = math.prod(x.shape[axis] for axis in axes)
    d = (x - mean(x, axes, keepdim=True)).double()
    return (exact_sum(d * d, axes, keepdim=keepdim) / max(0.0, n - correction)).float()


def vector_norm(x: Tensor, order: float, dims: Sequence[int], *, keepdim: bool = False) -> Tensor:
    """Norms of order 2 (F_sqrt(RN32(SUM x*x))), 1 (RN32(SUM |x|)) and infinity (the maximum).

    Raises:
        ValueError: another order.
    """
    axes = tuple(dim % x.ndim for dim in dims) if dims else tuple(range(x.ndim))
    if order == 2:
        wide = x.double()
        return functions.sqrt(exact_sum(wide * wide, axes, keepdim=keepdim).float())
    if order == 1:
        return exact_sum(x.abs(), axes, keepdim=keepdim).float()
    if order == math.inf:
        return x.abs().amax(axes, keepdim=keepdim)
    raise ValueError(f"norms of order 1, 2 and infinity have a canonical form, not {order}")
