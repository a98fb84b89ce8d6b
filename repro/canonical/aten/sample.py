"""Affine grids and sampling from them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from repro.canonical import sampling
from repro.canonical.aten.registry import Context, form, require

_BILINEAR = 0
_PADDINGS: tuple[sampling.Padding, ...] = ("zeros", "border")


def _padding(interpolation: int, padding: int) -> sampling.Padding:
    require(interpolation == _BILINEAR, "only bilinear sampling is specified")
    require(padding < len(_PADDINGS), "padding by reflection is not specified")
    return _PADDINGS[padding]


@form("affine_grid_generator")
def _affine_grid(_: Context, theta: Tensor, sizes: Sequence[int], align_corners: bool) -> Tensor:
    require(len(sizes) == 4, "an affine grid of a volume is not specified")
    return sampling.affine_grid(theta, (sizes[2], sizes[3]), align_corners=align_corners)


@form("affine_grid_generator_backward")
def _affine_grid_backward(_: Context, g: Tensor, sizes: Sequence[int], align_corners: bool) -> Tensor:
    require(len(sizes) == 4, "an affine grid of a volume is not specified")
    return sampling.affine_grid_gradient(g, align_corners=align_corners)


@form("grid_sampler_2d")
def _grid_sampler(_: Context, x: Tensor, grid: Tensor, interpolation: int, padding: int, align_corners: bool) -> Tensor:
    return sampling.grid_sample(x, grid, _padding(interpolation, padding), align_corners=align_corners)


@form("grid_sampler_2d_backward")
def _grid_sampler_backward(
    _: Context,
    dy: Tensor,
    x: Tensor,
    grid: Tensor,
    interpolation: int,
    padding: int,
    align_corners: bool,
    needs: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None]:
    kept = _padding(interpolation, padding)
    return sampling.grid_sample_gradient(
        dy, x, grid, kept, align_corners=align_corners, needs=(bool(needs[0]), bool(needs[1]))
    )
