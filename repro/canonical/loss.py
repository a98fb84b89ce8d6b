"""Losses and their gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.canonical.scale import exact_sum

NONE, MEAN, SUM = 0, 1, 2
"""Reductions, as ATen numbers them."""


def negative_log_likelihood(
    x: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignore: int
) -> tuple[Tensor, Tensor]:
    """Return the loss and the total weight: RN32(SUM(-w*x[target]) / SUM w) for the mean.

    Args:
        x: float32 (N, C) or (N, C, ...), log-probabilities.
        target: int64 (N) or (N, ...).
        weight: float32 (C,) or None.
        reduction: see :data:`NONE`.
        ignore: the target that counts nothing.
    """
    classes, rows = _rows(x, target)
    counted = rows != ignore
    picked = classes.gather(1, torch.where(counted, rows, 0).unsqueeze(1)).squeeze(1)
    weights = _weights(weight, rows, counted)
    terms = torch.where(counted, -(picked.double() * weights), 0.0)
    total = exact_sum(weights, (0,))
    if reduction == NONE:
        return terms.float().reshape(target.shape), x.new_zeros(())
    loss = exact_sum(terms, (0,))
    return (loss / total if reduction == MEAN else loss).float(), total.float()


def negative_log_likelihood_gradient(
    g: Tensor, x: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignore: int, total: Tensor
) -> Tensor:
    """Return RN32(-(w*g) / total) at every target, zero elsewhere; undivided but for the mean."""
    classes, rows = _rows(x, target)
    counted = rows != ignore
    each = g.reshape(-1).double() * _weights(weight, rows, counted)
    if reduction == MEAN:
        each = each / total.double()
    each = torch.where(counted, -each, 0.0).float()
    found = torch.zeros_like(classes)
    found.scatter_(1, torch.where(counted, rows, 0).unsqueeze(1), each.unsqueeze(1))
    if x.ndim <= 2:
        return found.reshape(x.shape)
    shape = (x.shape[0], *x.shape[2:], x.shape[1])
    return found.reshape(shape).movedim(-1, 1).contiguous()


def _rows(x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return x as (rows, C) and the target as (rows,)."""
    classes = x.reshape(1, -1) if x.ndim == 1 else x.movedim(1, -1).reshape(-1, x.shape[1])
    return classes, target.reshape(-1)


def _weights(weight: Tensor | None, rows: Tensor, counted: Tensor) -> Tensor:
    if weight is None:
        return counted.double()
    return torch.where(counted, weight[torch.where(counted, rows, 0)].double(), 0.0)


def squared_error(x: Tensor, y: Tensor, reduction: int) -> Tensor:
    """D = RN32(x - y); RN32(SUM(d*d)/n) for the mean."""
    d = (x - y).double()
    squares = d * d
    if reduction == NONE:
        return squares.float()
    total = exact_sum(squares, ())
    return (total / squares.numel() if reduction == MEAN else total).float()


def squared_error_gradient(g: Tensor, x: Tensor, y: Tensor, reduction: int) -> Tensor:
    """RN32(2*RN32(x - y)*g / n), undivided but for the mean."""
    d = (x - y).double() * g.double() * 2
    return (d / x.numel() if reduction == MEAN else d).float()
