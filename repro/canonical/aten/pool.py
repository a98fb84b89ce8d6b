"""Pools, upsampling, and writes that add."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from repro.canonical import sampling, scatter, windows
from repro.canonical.aten.registry import Context, form, require


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (values[0], values[0]) if len(values) == 1 else (values[0], values[1])


class _Pool:
    """An average pool's windows and counts."""

    def __init__(
        self,
        x: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        ceil_mode: bool,
        with_padding: bool,
        divisor: int | None,
    ) -> None:
        sides, steps, pads = _pair(kernel), _pair(stride or kernel), _pair(padding)
        sizes = x.shape[-2:]
        outputs = []
        for size, k, s, p in zip(sizes, sides, steps, pads, strict=True):
            count = -(-(size + 2 * p - k) // s) + 1 if ceil_mode else (size + 2 * p - k) // s + 1
            # As PyTorch has it: the last window starts within the input or the padding before it.
            outputs.append(count - 1 if ceil_mode and (count - 1) * s >= size + p else count)
        self.windows = [
            windows.pool_windows(size, k, s, p, out)
            for size, k, s, p, out in zip(sizes, sides, steps, pads, outputs, strict=True)
        ]
        self.counts = windows.pool_counts(
            sizes, sides, steps, pads, outputs, with_padding=with_padding, divisor=divisor, device=x.device
        )


@form("avg_pool2d")
def _average(
    _: Context,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    with_padding: bool = True,
    divisor: int | None = None,
) -> Tensor:
    pool = _Pool(x, kernel, stride, padding, ceil_mode, with_padding, divisor)
    return windows.average(x, pool.windows, pool.counts)


@form("avg_pool2d_backward")
def _average_backward(
    _: Context,
    dy: Tensor,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    with_padding: bool,
    divisor: int | None,
) -> Tensor:
    pool = _Pool(x, kernel, stride, padding, ceil_mode, with_padding, divisor)
    return windows.average_gradient(dy, pool.windows, pool.counts, x.shape[-2:])


def _adaptive(x: Tensor, outputs: Sequence[int]) -> tuple[list[list[windows.Interval]], Tensor]:
    cells = [windows.adaptive_windows(size, out) for size, out in zip(x.shape[-2:], outputs, strict=True)]
    return cells, windows.adaptive_counts(cells, x.device)


@form("_adaptive_avg_pool2d")
def _adaptive_average(_: Context, x: Tensor, outputs: Sequence[int]) -> Tensor:
    return windows.average(x, *_adaptive(x, outputs))


@form("_adaptive_avg_pool2d_backward")
def _adaptive_average_backward(_: Context, dy: Tensor, x: Tensor) -> Tensor:
    return windows.average_gradient(dy, *_adaptive(x, dy.shape[-2:]), x.shape[-2:])


@form("max_pool2d_with_indices_backward")
def _maximum_backward(
    _: Context,
    dy: Tensor,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    sides = _pair(kernel)
    return windows.gradient_at(dy, indices, x.shape[-2:], sides[0] * sides[1])


@form("adaptive_max_pool2d_backward")
def _adaptive_maximum_backward(_: Context, dy: Tensor, x: Tensor, indices: Tensor) -> Tensor:
    cells, _counts = _adaptive(x, dy.shape[-2:])
    return windows.gradient_at(dy, indices, x.shape[-2:], windows.overlap(cells))


def _same_map(sizes: Sequence[int], outputs: Sequence[int], scales: Sequence[float | None]) -> None:
    for size, out, scale in zip(sizes, outputs, scales, strict=True):
        known = scale is None or scale * size == out
        require(known, f"a scale of {scale} from {size} to {out} rounds its places; give the size instead")


@form("upsample_nearest2d.default")
def _nearest(
    _: Context, x: Tensor, outputs: Sequence[int], high: float | None = None, wide: float | None = None
) -> Tensor:
    _same_map(x.shape[2:], outputs, (high, wide))
    return windows.nearest(x, outputs)


@form("upsample_nearest2d.vec")
def _nearest_by_factor(_: Context, x: Tensor, outputs: Sequence[int] | None, factors: Sequence[float] | None) -> Tensor:
    return windows.nearest(x, _sizes(x, outputs, factors))


def _sizes(x: Tensor, outputs: Sequence[int] | None, factors: Sequence[float] | None) -> Sequence[int]:
    """Return the sizes of an upsampling that were given, or that the factors give."""
    if outputs is None:
        assert factors is not None
        outputs = [int(size * factor) for size, factor in zip(x.shape[2:], factors, strict=True)]
        _same_map(x.shape[2:], outputs, factors)
    return outputs


@form("upsample_nearest2d_backward.default")
def _nearest_backward(
    _: Context,
    dy: Tensor,
    outputs: Sequence[int],
    sizes: Sequence[int],
    high: float | None = None,
    wide: float | None = None,
) -> Tensor:
    _same_map(sizes[2:], outputs, (high, wide))
    return windows.nearest_gradient(dy, sizes[2:])


@form("upsample_bilinear2d.default")
def _bilinear(
    _: Context,
    x: Tensor,
    outputs: Sequence[int],
    align_corners: bool,
    high: float | None = None,
    wide: float | None = None,
) -> Tensor:
    if not align_corners:
        _same_map(x.shape[2:], outputs, (high, wide))
    return sampling.upsample(x, outputs, align_corners=align_corners)


@form("upsample_bilinear2d.vec")
def _bilinear_by_factor(
    _: Context, x: Tensor, outputs: Sequence[int] | None, align_corners: bool, factors: Sequence[float] | None
) -> Tensor:
    return sampling.upsample(x, _sizes(x, outputs, factors), align_corners=align_corners)


@form("upsample_bilinear2d_backward.default")
def _bilinear_backward(
    _: Context,
    dy: Tensor,
    outputs: Sequence[int],
    sizes: Sequence[int],
    align_corners: bool,
    high: float | None = None,
    wide: float | None = None,
) -> Tensor:
    if not align_corners:
        _same_map(sizes[2:], outputs, (high, wide))
    return sampling.upsample_gradient(dy, sizes[2:], align_corners=align_corners)


@form("index_put.default", "index_put_.default", "_index_put_impl_.default")
def _put(
    _: Context,
    x: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
    unsafe: bool = False,
) -> Tensor:
    if not accumulate:
        return torch.ops.aten.index_put.default(x, list(indices), values, False)
    chosen = [index for index in indices if index is not None]
    leading = all(index is not None for index in indices[: len(chosen)])
    require(leading, "an accumulating index_put whose indices are not the leading ones is not specified")
    if any(index.dtype in (torch.bool, torch.uint8) for index in chosen):
        chosen = [place for index in chosen for place in index.nonzero(as_tuple=True)]
    return scatter.put(x, chosen, values)


@form("index_add.default", "index_add_.default")
def _index_add(_: Context, x: Tensor, dim: int, index: Tensor, source: Tensor, alpha: float = 1) -> Tensor:
    require(alpha == 1, "an index_add with a factor is not specified")
    lines = x.movedim(dim, 0)
    added = scatter.add_rows(
        lines.reshape(lines.shape[0], -1), index, source.movedim(dim, 0).reshape(index.numel(), -1)
    )
    return added.reshape(lines.shape).movedim(0, dim).contiguous()


@form("scatter_add.default", "scatter_add_.default")
def _scatter_add(_: Context, x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    return scatter.add_along(x, dim, index, source)


@form("embedding_dense_backward")
def _embedding_backward(
    _: Context, dy: Tensor, indices: Tensor, rows: int, padding_index: int, scale_by_frequency: bool
) -> Tensor:
    require(not scale_by_frequency, "an embedding's gradient scaled by frequency is not specified")
    flat, source = indices.reshape(-1), dy.reshape(-1, dy.shape[-1])
    if padding_index >= 0:
        kept = flat != padding_index
        flat, source = flat[kept], source[kept]
    return scatter.add_rows(dy.new_zeros(rows, dy.shape[-1]), flat, source)
