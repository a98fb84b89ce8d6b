"""Sums whose terms meet at places that data choose: accumulating writes and the gradient of an embedding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from repro.canonical.scale import quantise, sum_bits


def put(x: Tensor, indices: Sequence[Tensor], values: Tensor) -> Tensor:
    """Return x with values added where the leading axes' indices say: RN32(x + S*u).

    Args:
        x: float32 (A, B, ..., *rest).
        indices: int64 tensors that broadcast to one shape, for the leading axes.
        values: float32 that broadcasts to that shape and the rest; a scale per place in the rest.
    """
    places = torch.broadcast_tensors(*indices)
    lead, rest = x.shape[: len(places)], x.shape[len(places) :]
    flat = torch.zeros_like(places[0])
    for place, size in zip(places, lead, strict=True):
        flat = flat * size + torch.where(place < 0, place + size, place)
    source = values.expand(*places[0].shape, *rest).reshape(flat.numel(), -1)
    return add_rows(x.reshape(math.prod(lead), -1), flat.reshape(-1), source).reshape(x.shape)


def add_rows(x: Tensor, rows: Tensor, source: Tensor) -> Tensor:
    """Return x (R, F) with source (n, F) added to the rows (n,) that it names; a scale per column."""
    if source.numel() == 0:
        return x.clone()
    parts = quantise(source, (0,), sum_bits(source.shape[0]))
    total = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
    total.index_add_(0, rows, parts.values.double())
    touched = torch.zeros(x.shape[0], dtype=torch.bool, device=x.device)
    touched[rows] = True
    added = (x.double() + (total + 0.0) * parts.unit).float()
    return torch.where(touched.unsqueeze(1), added, x)


def add_along(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Return x with source added along one axis where index says (scatter_add); a scale per line along that axis."""
    if source.numel() == 0:
        return x.clone()
    source = source[tuple(slice(0, size) for size in index.shape)]
    parts = quantise(source, (dim,), sum_bits(source.shape[dim]))
    total = torch.zeros(x.shape, dtype=torch.float64, device=x.device)
    total.scatter_add_(dim, index, parts.values.double())
    unit = torch.ones(x.shape, dtype=torch.float64, device=x.device)
    unit.scatter_(dim, index, parts.unit.expand(index.shape))
    return (x.double() + (total + 0.0) * unit).float()
