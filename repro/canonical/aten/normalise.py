"""Normalisations, softmax, losses, means, sums, variances and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from repro.canonical import functions, loss, normalise
from repro.canonical.aten.registry import Context, form, require
from repro.canonical.scale import exact_sum


def _in_float32(dtype: torch.dtype | None) -> None:
    require(dtype in (None, torch.float32), f"a result of type {dtype} is not specified")


@form("native_batch_norm", "_native_batch_norm_legit.default", "_native_batch_norm_legit_functional")
def _batch_norm(
    context: Context,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    if not training:
        assert running_mean is not None
        assert running_var is not None
        y = normalise.batch_norm_evaluation(x, weight, bias, running_mean, running_var, eps)
        return y, x.new_empty(0), x.new_empty(0)
    y, mean, inverse, squares = normalise.batch_norm_training(x, weight, bias, eps)
    if running_mean is not None:
        running_mean.copy_(normalise.running(running_mean, mean, momentum))
    if running_var is not None:
        n = x.numel() // x.shape[1]
        running_var.copy_(normalise.running(running_var, (squares / max(n - 1, 1)).float(), momentum))
    return y, mean, inverse


@form("_native_batch_norm_legit.no_stats")
def _batch_norm_without_statistics(
    context: Context, x: Tensor, weight: Tensor | None, bias: Tensor | None, training: bool, momentum: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    return _batch_norm(context, x, weight, bias, None, None, True, momentum, eps)


@form("_native_batch_norm_legit_no_training", "_batch_norm_no_update")
def _batch_norm_evaluation(
    context: Context,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    return _batch_norm(context, x, weight, bias, mean, var, False, momentum, eps)


@form("cudnn_batch_norm")
def _cudnn_batch_norm(context: Context, x: Tensor, *args: Any) -> tuple[Tensor, ...]:
    return (*_batch_norm(context, x, *args), x.new_empty(0, dtype=torch.uint8))


@form("native_batch_norm_backward")
def _batch_norm_backward(
    context: Context,
    dy: Tensor,
    x: Tensor,
    weight: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor | None,
    inverse: Tensor | None,
    training: bool,
    eps: float,
    needs: Sequence[bool],
) -> normalise.Triple:
    if not training:
        assert running_mean is not None
        assert running_var is not None
        mean, inverse = running_mean, normalise.inverse_deviation(running_var.double(), eps)
    assert mean is not None
    assert inverse is not None
    return normalise.batch_norm_gradient(dy, x, weight, mean, inverse, training=training, needs=needs)


@form("cudnn_batch_norm_backward")
def _cudnn_batch_norm_backward(
    context: Context,
    x: Tensor,
    dy: Tensor,
    weight: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor,
    inverse: Tensor,
    eps: float,
    reserve: Tensor,
) -> normalise.Triple:
    return normalise.batch_norm_gradient(dy, x, weight, mean, inverse, training=True, needs=(True, True, True))


@form("native_layer_norm")
def _layer_norm(
    _: Context, x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    return normalise.layer_norm(x, shape, weight, bias, eps)


@form("native_layer_norm_backward")
def _layer_norm_backward(
    _: Context,
    dy: Tensor,
    x: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    inverse: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    needs: Sequence[bool],
) -> normalise.Triple:
    return normalise.layer_norm_gradient(dy, x, shape, mean, inverse, weight, needs)


@form("_softmax")
def _softmax(_: Context, x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    return normalise.softmax(x, dim)


@form("_safe_softmax")
def _safe_softmax(_: Context, x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    _in_float32(dtype)
    nothing = (x == -torch.inf).all(dim, keepdim=True)
    return torch.where(nothing, 0.0, normalise.softmax(x, dim))


@form("_log_softmax")
def _log_softmax(_: Context, x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    return normalise.log_softmax(x, dim)


@form("_softmax_backward_data")
def _softmax_backward(_: Context, g: Tensor, y: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    return normalise.softmax_gradient(g, y, dim)


@form("_log_softmax_backward_data")
def _log_softmax_backward(_: Context, g: Tensor, y: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    return normalise.log_softmax_gradient(g, y, dim)


@form("nll_loss_forward", "nll_loss2d_forward")
def _nll(
    _: Context, x: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignore: int
) -> tuple[Tensor, Tensor]:
    return loss.negative_log_likelihood(x, target, weight, reduction, ignore)


@form("nll_loss_backward", "nll_loss2d_backward")
def _nll_backward(
    _: Context,
    g: Tensor,
    x: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: int,
    ignore: int,
    total: Tensor,
) -> Tensor:
    return loss.negative_log_likelihood_gradient(g, x, target, weight, reduction, ignore, total)


@form("mse_loss")
def _mse(_: Context, x: Tensor, y: Tensor, reduction: int = loss.MEAN) -> Tensor:
    return loss.squared_error(x, y, reduction)


@form("mse_loss_backward")
def _mse_backward(_: Context, g: Tensor, x: Tensor, y: Tensor, reduction: int) -> Tensor:
    return loss.squared_error_gradient(g, x, y, reduction)


@form("sum.default")
def _sum(_: Context, x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    _in_float32(dtype)
    return exact_sum(x.float(), ()).float()


@form("sum.dim_IntList")
def _sum_over(
    _: Context, x: Tensor, dims: Sequence[int] | None, keepdim: bool = False, dtype: torch.dtype | None = None
) -> Tensor:
    _in_float32(dtype)
    return exact_sum(x.float(), dims or (), keepdim=keepdim).float()


@form("mean.default")
def _mean(_: Context, x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    _in_float32(dtype)
    return normalise.mean(x.float(), ())


@form("mean.dim")
def _mean_over(
    _: Context, x: Tensor, dims: Sequence[int] | None, keepdim: bool = False, dtype: torch.dtype | None = None
) -> Tensor:
    _in_float32(dtype)
    return normalise.mean(x.float(), dims or (), keepdim=keepdim)


@form("var.correction")
def _var(
    _: Context, x: Tensor, dims: Sequence[int] | None = None, correction: float | None = None, keepdim: bool = False
) -> Tensor:
    return normalise.variance(x, dims or (), 1.0 if correction is None else float(correction), keepdim=keepdim)


@form("std.correction")
def _std(context: Context, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return functions.sqrt(_var(context, x, *args, **kwargs))


@form("var_mean.correction")
def _var_mean(
    _: Context, x: Tensor, dims: Sequence[int] | None = None, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    over = dims or ()
    free = 1.0 if correction is None else float(correction)
    return normalise.variance(x, over, free, keepdim=keepdim), normalise.mean(x, over, keepdim=keepdim)


@form("linalg_vector_norm")
def _vector_norm(
    _: Context,
    x: Tensor,
    order: float = 2,
    dims: Sequence[int] | None = None,
    keepdim: bool = False,
    dtype: torch.dtype | None = None,
) -> Tensor:
    _in_float32(dtype)
    require(order in (1, 2, float("inf")), f"a norm of order {order} is not specified")
    return normalise.vector_norm(x, float(order), dims or (), keepdim=keepdim)


@form("norm.Scalar", "norm.ScalarOpt_dim")
def _norm(
    context: Context, x: Tensor, order: float | None = 2, dims: Sequence[int] | None = None, keepdim: bool = False
) -> Tensor:
    return _vector_norm(context, x, 2 if order is None else order, dims, keepdim)
