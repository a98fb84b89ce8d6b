"""Affine grids, bilinear sampling and bilinear upsampling, forward and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from repro.canonical.scale import exact_sum, quantise, sum_bits

Padding = Literal["zeros", "border"]


def base_coordinates(size: int, device: torch.device, *, align_corners: bool) -> Tensor:
    """Return RN32((2j + 1 - W)/W) for every j, or RN32((2j + 1 - W)/(W - 1)) with aligned corners; float32 (W,)."""
    steps = 2 * torch.arange(size, dtype=torch.float64) + (1 - size)
    return (steps / (max(size - 1, 1) if align_corners else size)).float().to(device)


def affine_grid(theta: Tensor, sizes: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Return RN32((t0*X + t1*Y) + t2) for both coordinates: float32 (N, H, W, 2).

    Args:
        theta: float32 (N, 2, 3).
        sizes: H and W of the output.
        align_corners: whether -1 and 1 are the outer places' centres.
    """
    y, x = (base_coordinates(size, theta.device, align_corners=align_corners).double() for size in sizes)
    t = theta.double().reshape(-1, 1, 1, 2, 3)
    turned = t[..., 0] * x.reshape(1, 1, -1, 1) + t[..., 1] * y.reshape(1, -1, 1, 1)
    return (turned + t[..., 2]).float()


def affine_grid_gradient(g: Tensor, *, align_corners: bool) -> Tensor:
    """Return the gradient by theta, RN32(SUM g*X), RN32(SUM g*Y), RN32(SUM g): float32 (N, 2, 3). g: (N, H, W, 2)."""
    _samples, height, width, _ = g.shape
    wide = g.double()
    x = base_coordinates(width, g.device, align_corners=align_corners).double().reshape(1, 1, -1, 1)
    y = base_coordinates(height, g.device, align_corners=align_corners).double().reshape(1, -1, 1, 1)
    return torch.stack([exact_sum(each, (1, 2)).float() for each in (wide * x, wide * y, wide)], dim=2)


@dataclass(frozen=True)
class _Corners:
    """Where samples fall. Corners stand in the order (y0,x0), (y0,x1), (y1,x0), (y1,x1).

    Attributes:
        index: four int64 (N, P): the place in the plane, 0 where it lies outside.
        inside: four bool (N, P).
        weight: four float32 (N, P); NaN where a coordinate is.
        fractions: float32 (N, P) for x and y: what (x0, x1) and (y0, y1) weigh; empty where no grid was given.
        slope: float64 (N, P) for x and y: how the position moves with the coordinate; empty there too.
    """

    index: list[Tensor]
    inside: list[Tensor]
    weight: list[Tensor]
    fractions: tuple[tuple[Tensor, Tensor], ...] = ()
    slope: tuple[Tensor, ...] = ()


def _position(g: Tensor, size: int, padding: Padding, *, align_corners: bool) -> tuple[Tensor, Tensor]:
    """Return RN64(g*W + (W - 1))/2 and its slope. The product of a float32 and a size is exact: FMA-proof.

    With aligned corners W - 1 stands for both. Positions far outside are drawn in to where they still weigh nothing.
    """
    span = size - 1 if align_corners else size
    at = (g.double() * span + (size - 1)) / 2
    slope = torch.full_like(at, span / 2)
    if padding == "border":
        slope = torch.where((at > 0) & (at < size - 1), slope, 0.0)
        return at.clamp(0, size - 1), slope
    return at.clamp(-2, size + 1), slope


def _corners(grid: Tensor, sizes: tuple[int, int], padding: Padding, *, align_corners: bool) -> _Corners:
    height, width = sizes
    flat = grid.reshape(grid.shape[0], -1, 2)
    x, slope_x = _position(flat[..., 0], width, padding, align_corners=align_corners)
    y, slope_y = _position(flat[..., 1], height, padding, align_corners=align_corners)
    known = ~(torch.isnan(x) | torch.isnan(y))
    x0, y0 = torch.floor(x), torch.floor(y)
    right, below = (x - x0).float(), (y - y0).float()
    left, above = 1.0 - right, 1.0 - below
    columns = [torch.where(known, at, 0.0).to(torch.int64) for at in (x0, x0 + 1)]
    rows = [torch.where(known, at, 0.0).to(torch.int64) for at in (y0, y0 + 1)]
    index, inside, weight = [], [], []
    for row, vertical in zip(rows, (above, below), strict=True):
        for column, horizontal in zip(columns, (left, right), strict=True):
            within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            inside.append(within)
            index.append(torch.where(within, row * width + column, 0))
            weight.append(horizontal * vertical)
    return _Corners(index, inside, weight, ((left, right), (above, below)), (slope_x, slope_y))


def _seen(x: Tensor, corners: _Corners) -> list[Tensor]:
    """Return the four values under every sample, float64 (N, C, P); zero outside."""
    planes = x.flatten(2)
    found = []
    for index, inside in zip(corners.index, corners.inside, strict=True):
        picked = planes.gather(2, index.unsqueeze(1).expand(-1, x.shape[1], -1))
        found.append(torch.where(inside.unsqueeze(1), picked, 0.0).double())
    return found


def grid_sample(x: Tensor, grid: Tensor, padding: Padding, *, align_corners: bool) -> Tensor:
    """Return RN32 of the four exact products value*RN32(wx*wy), added in the corners' order in float64.

    Args:
        x: float32 (N, C, H, W).
        grid: float32 (N, P, Q, 2), x before y.
        padding: what lies outside.
        align_corners: whether -1 and 1 are the outer places' centres.
    """
    corners = _corners(grid, (x.shape[2], x.shape[3]), padding, align_corners=align_corners)
    return _interpolated(x, corners).reshape(*x.shape[:2], *grid.shape[1:3])


def _interpolated(x: Tensor, corners: _Corners) -> Tensor:
    values = _seen(x, corners)
    total = values[0] * corners.weight[0].unsqueeze(1).double()
    for value, weight in zip(values[1:], corners.weight[1:], strict=True):
        total = total + value * weight.unsqueeze(1).double()
    return total.float()


def grid_sample_gradient(
    dy: Tensor, x: Tensor, grid: Tensor, padding: Padding, *, align_corners: bool, needs: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients by x and by the grid.

    By x: the products dy*weight, quantised per sample and channel to 53 - ceil(log2 4P) bits, added at their corners.
    By the grid: the weights' slopes times the values in the corners' order, rounded, times dy, an exact sum over
    channels, times the position's slope.
    """
    corners = _corners(grid, (x.shape[2], x.shape[3]), padding, align_corners=align_corners)
    g = dy.flatten(2).double()
    return (
        _by_input(g, corners, x.shape[2:]) if needs[0] else None,
        _by_grid(g, x, grid, corners) if needs[1] else None,
    )


def _by_input(g: Tensor, corners: _Corners, sizes: Sequence[int]) -> Tensor:
    shares = torch.stack([g * weight.unsqueeze(1).double() for weight in corners.weight], dim=2)  # N, C, 4, P
    inside = torch.stack(corners.inside, dim=1).unsqueeze(1)
    parts = quantise(torch.where(inside, shares, 0.0).flatten(2), (2,), sum_bits(4 * g.shape[2]))
    index = torch.stack(corners.index, dim=1).flatten(1).unsqueeze(1).expand(-1, g.shape[1], -1)
    found = torch.zeros(*g.shape[:2], sizes[0] * sizes[1], dtype=torch.float64, device=g.device)
    found.scatter_add_(2, index, parts.values)
    return ((found + 0.0) * parts.unit).float().reshape(*g.shape[:2], *sizes)


def _by_grid(g: Tensor, x: Tensor, grid: Tensor, corners: _Corners) -> Tensor:
    values = _seen(x, corners)
    (left, right), (above, below) = corners.fractions
    slopes = (
        ((above, -1), (above, 1), (below, -1), (below, 1)),
        ((left, -1), (right, -1), (left, 1), (right, 1)),
    )
    found = []
    for factors, slope in zip(slopes, corners.slope, strict=True):
        total: Tensor | None = None
        for value, (weight, sign) in zip(values, factors, strict=True):
            term = value * (weight.unsqueeze(1).double() * sign)
            total = term if total is None else total + term
        assert total is not None
        found.append((exact_sum(g * total.float().double(), (1,)) * slope).float())
    return torch.stack(found, dim=2).reshape(grid.shape)


def upsample(x: Tensor, outputs: Sequence[int], *, align_corners: bool) -> Tensor:
    """Return x (N, C, H, W) interpolated at the places of ``outputs``, added as :func:`grid_sample` adds.

    Output i lies at i*(in - 1)/(out - 1) with aligned corners, else at max(0, (2i + 1)*in/(2*out) - 1/2): rational
    numbers, whose whole part is exact and whose fraction is RN32(RN64(fraction)).
    """
    corners = _upsampled(x.shape, outputs, x.device, align_corners=align_corners)
    return _interpolated(x, corners).reshape(*x.shape[:2], *outputs)


def upsample_gradient(dy: Tensor, sizes: Sequence[int], *, align_corners: bool) -> Tensor:
    """Return the gradient of :func:`upsample` by its input of ``sizes`` (H, W), as grid_sample's."""
    corners = _upsampled((*dy.shape[:2], *sizes), dy.shape[2:], dy.device, align_corners=align_corners)
    return _by_input(dy.flatten(2).double(), corners, sizes)


def _upsampled(shape: Sequence[int], outputs: Sequence[int], device: torch.device, *, align_corners: bool) -> _Corners:
    (rows, vertical), (columns, horizontal) = (
        _between(size, out, align_corners=align_corners) for size, out in zip(shape[2:], outputs, strict=True)
    )
    index = [row[:, None] * shape[3] + column for row in rows for column in columns]
    weight = [y[:, None] * x for y in vertical for x in horizontal]

    def of_samples(plane: Tensor) -> Tensor:
        return plane.reshape(1, -1).expand(shape[0], -1).to(device)

    inside = torch.ones_like(index[0], dtype=torch.bool)
    return _Corners(
        [of_samples(each) for each in index], [of_samples(inside)] * len(index), [of_samples(each) for each in weight]
    )


def _between(size: int, outputs: int, *, align_corners: bool) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return both neighbours of every output place along one axis, int64, and what they weigh, float32."""
    i = torch.arange(outputs)
    if align_corners:
        above, below = i * (size - 1), max(outputs - 1, 1)
    else:
        above, below = ((2 * i + 1) * size - outputs).clamp(min=0), 2 * outputs
    first = above // below
    fraction = ((above % below).double() / below).float()
    return (first, (first + 1).clamp(max=size - 1)), (1.0 - fraction, fraction)
