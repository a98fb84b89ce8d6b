"""The compiled route: exact products by 16-bit multiplications, built from ``kernels.c`` where a C compiler is.

It is one more route to the same bits. Where there is no compiler, or the processor is no x86-64, the others are taken.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from repro.canonical.compiled import compiled
from repro.canonical.convolution import Geometry
from repro.canonical.scale import BITS, exponent, largest, power_of_two, quantise

_SOURCE = Path(__file__).with_name("kernels.c")
_FLAGS = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fwrapv", "-fno-strict-aliasing")

CHAINS = ("add_scaled", "add_product", "add_quotient", "add_difference")
"""RN32(RN64(x + value*t)) with t = a, RN32(a*b), RN32(a/b), RN32(a - b)."""

_PLANES = 6  # int16 values of a channel pair
_FLOAT32_FACTORS = BITS - 127
"""Groups whose exponent is below are quantised in float64, by another route."""


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, or None where they cannot be had; another route gives the same bits then."""
    if os.environ.get("REPRO_CANONICAL_KERNELS") == "off":
        return None
    return compiled(_SOURCE, _FLAGS)


def _kernel(name: str, returns: Any = None) -> Callable[..., Any]:
    """Return a kernel; what asks for one has been told that there is a library."""
    kernels = library()
    assert kernels is not None
    found: Any = getattr(kernels, name)
    found.restype = returns
    return found


@dataclass(frozen=True)
class PackedWeight:
    """A convolution's weight as the kernels read it.

    Attributes:
        values: int16 planes.
        unit: float64 (outputs,).
        outputs, channels: counts.
    """

    values: Tensor
    unit: Tensor
    outputs: int
    channels: int


def serves(x: Tensor, geometry: Geometry) -> bool:
    """Tell whether the kernels compute this: images, one group, on a CPU."""
    return x.ndim == 4 and geometry.groups == 1 and not x.is_cuda and x.numel() > 0 and library() is not None


def multiplies(a: Tensor, b: Tensor, bias: Tensor | None) -> bool:
    """Tell whether the kernels compute this product: of two matrices, with a bias by column, on a CPU."""
    fits = a.ndim == 2 and a.numel() > 0 and b.numel() > 0 and (bias is None or bias.shape == b.shape[1:])
    return fits and not a.is_cuda and library() is not None


def pack_weight(weight: Tensor) -> PackedWeight:
    """Pack (O, I, *kernel) for the forward convolution, a scale per output channel."""
    return _pack_weight(weight.flatten(2))


def pack_weight_back(weight: Tensor) -> PackedWeight:
    """Pack (O, I, *kernel) for the input gradient: outputs are I, taps run backwards, a scale per input channel."""
    return _pack_weight(weight.flatten(2).transpose(0, 1), flipped=True)


def _pack_weight(weight: Tensor, *, flipped: bool = False) -> PackedWeight:
    """Pack (outputs, channels, taps) of any strides, a scale per output; ``flipped`` turns the taps round."""
    outputs, channels, taps = weight.shape
    scale = _factors(_largest(weight, (1, 2)))
    if scale is None:  # float32 cannot scale values as low; their integers, scaled in float64, it can hold
        quantised = quantise(weight, (1, 2))
        weight, unit = quantised.values.float(), quantised.unit.reshape(-1)
        scale = _Scale(torch.ones(outputs), unit, per_column=False)
    lanes = _kernel("lanes", ctypes.c_int)()
    wide = -(-outputs // lanes) * lanes
    packed = torch.empty(wide * taps * -(-channels // 2) * _PLANES, dtype=torch.int16)
    _kernel("pack_weights")(
        _pointer(weight),
        *map(ctypes.c_int64, (outputs, channels, taps, *weight.stride())),
        _pointer(scale.factor),
        ctypes.c_int(flipped),
        _pointer(packed),
    )
    return PackedWeight(packed, scale.unit, outputs, channels)


def convolved(
    x: Tensor,
    weight: PackedWeight,
    bias: Tensor | None,
    geometry: Geometry,
    outputs: Sequence[int],
    *,
    edges: Sequence[int],
    spread: int = 1,
) -> Tensor | None:
    """Return a convolution of x (N, C, H, W) by packed weights, float32 (N, O, *outputs).

    Args:
        x: float32 of any strides.
        weight: packed.
        bias: float32 (O,) or None.
        geometry: its kernel, stride and dilation.
        outputs: rows and columns of the result.
        edges: zeros before the first row and column.
        spread: how far apart input places lie; what is between is zero.

    Returns:
        None where a group lies so low that float32 cannot scale it.
    """
    scale = _factors(_largest(x, (1, 2, 3)))
    if scale is None:
        return None
    (high, wide), (apart, aside) = geometry.kernel, geometry.dilation
    samples, _, height, width = x.shape
    rows = max((outputs[0] - 1) * geometry.stride[0] + (high - 1) * apart + 1, edges[0] + (height - 1) * spread + 1)
    columns = max((outputs[1] - 1) * geometry.stride[1] + (wide - 1) * aside + 1, edges[1] + (width - 1) * spread + 1)
    packed = _pack(x, scale, edges, (rows, columns), spread=spread)
    run = wide if aside == 1 else 1  # taps side by side are read as one
    offsets = [(i * apart * columns + j * aside) * packed.place for i in range(high) for j in range(0, wide, run)]
    y = torch.empty(samples, weight.outputs, *outputs, memory_format=_format(x))
    _multiply(packed, weight, offsets, run, geometry.stride, bias, y)
    return y


def weight_gradient(x: Tensor, dy: Tensor, kernel_shape: Sequence[int], geometry: Geometry) -> Tensor | None:
    """Return the gradient of an ungrouped convolution by its weight, float32 of ``kernel_shape``.

    It is a convolution itself: dy's rows are the taps, the places in a row its channels, and x's channels the columns,
    once for every column of the kernel.

    Returns:
        None where a group lies so low that float32 cannot scale it.
    """
    scale = _factors(_largest(x, (0, 2, 3)), per_column=True)
    if scale is None:
        return None
    samples, outputs, rows_out, columns_out = dy.shape
    channels, (high, wide) = x.shape[1], geometry.kernel
    weight = _pack_weight(dy.permute(1, 3, 0, 2).reshape(outputs, columns_out, samples * rows_out))
    (top, side), (down, right), (apart, aside) = geometry.padding, geometry.stride, geometry.dilation
    padded = torch.nn.functional.pad(x, (side, side))
    rows = max((rows_out - 1) * down + (high - 1) * apart + 1, top + x.shape[2])
    found = torch.empty(outputs, channels, high, wide)
    for column in range(wide):
        start = column * aside
        seen = padded[..., start : start + (columns_out - 1) * right + 1 : right].permute(0, 3, 2, 1)
        packed = _pack(seen, scale, (top, 0), (rows, channels))
        offsets = [(n * rows + row * down) * channels * packed.place for n in range(samples) for row in range(rows_out)]
        target = found[..., column].permute(0, 2, 1).unsqueeze(0)  # 1, O, kernel row, C
        _multiply(packed, weight, offsets, 1, (apart, 1), None, target)
    return found.reshape(tuple(kernel_shape))


def matrix_product(a: Tensor, b: PackedWeight, bias: Tensor | None) -> Tensor | None:
    """Return a (M, K) times packed columns, a scale per row, float32 (M, N): a convolution of one row of M places."""
    scale = _factors(_largest(a, (1,)), per_column=True)
    if scale is None:
        return None
    packed = _pack(a.t().reshape(1, a.shape[1], 1, a.shape[0]), scale, (0, 0), (1, a.shape[0]))
    y = torch.empty(a.shape[0], b.outputs)
    _multiply(packed, b, [0], 1, (1, 1), bias, y.t().reshape(1, b.outputs, 1, a.shape[0]))
    return y


def pack_columns(b: Tensor) -> PackedWeight:
    """Pack b (K, N), a scale per column."""
    return _pack_weight(b.t().unsqueeze(2))


@dataclass(frozen=True)
class _Scale:
    """Factors that make integers of activations, and the units that make values of integers.

    Attributes:
        factor: float32, one a sample, or one a column.
        unit: float64, the same.
        per_column: which of them.
    """

    factor: Tensor
    unit: Tensor
    per_column: bool


@dataclass(frozen=True)
class _Packed:
    """Activations as the kernels read them. ``place``: int16 values of one place."""

    values: Tensor
    scale: _Scale
    shape: tuple[int, int, int, int]
    place: int


def _factors(magnitude: Tensor, *, per_column: bool = False) -> _Scale | None:
    """Return the scale of groups with these largest magnitudes; None where one is too low for a float32 factor."""
    finite = torch.isfinite(magnitude)
    e = torch.where(finite, exponent(magnitude), 0)
    if int(e.min()) < _FLOAT32_FACTORS:
        return None
    factor = torch.where(finite, power_of_two(BITS - e), 0.0).float()
    return _Scale(factor, torch.where(finite, power_of_two(e - BITS), torch.nan), per_column)


def _pack(x: Tensor, scale: _Scale, edges: Sequence[int], sizes: tuple[int, int], *, spread: int = 1) -> _Packed:
    """Lay x (N, C, H, W) of any strides out in planes of ``sizes``, ``edges`` zeros before the first row and column."""
    samples, channels, height, width = x.shape
    place = -(-channels // 2) * _PLANES
    packed = torch.empty(samples * sizes[0] * sizes[1] * place, dtype=torch.int16)
    _kernel("pack_activations")(
        _pointer(x),
        *map(ctypes.c_int64, (samples, channels, height, width, *x.stride())),
        _pointer(scale.factor),
        ctypes.c_int(scale.per_column),
        *map(ctypes.c_int64, (*edges, *sizes, spread)),
        _pointer(packed),
    )
    return _Packed(packed, scale, (samples, channels, *sizes), place)


def _multiply(
    x: _Packed,
    weight: PackedWeight,
    offsets: list[int],
    run: int,
    stride: Sequence[int],
    bias: Tensor | None,
    y: Tensor,
) -> None:
    """Fill y (N, O, rows, columns), of any strides. ``offsets``: where each ``run`` of taps lies from the first."""
    _samples, channels, rows, columns = x.shape
    taps, added = torch.tensor(offsets, dtype=torch.int64), None if bias is None else bias.contiguous()
    _kernel("convolve")(
        _pointer(x.values),
        *map(ctypes.c_int64, (y.shape[0], rows, columns, channels)),
        _pointer(weight.values),
        ctypes.c_int64(weight.outputs),
        _pointer(taps),
        *map(ctypes.c_int64, (len(offsets), run * x.place // _PLANES, *y.shape[2:], *stride)),
        _pointer(x.scale.unit),
        ctypes.c_int(x.scale.per_column),
        _pointer(weight.unit),
        None if added is None else _pointer(added),
        _pointer(y),
        *map(ctypes.c_int64, y.stride()),
    )


def _format(x: Tensor) -> torch.memory_format:
    """Return the layout that PyTorch's own convolution would give."""
    if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        return torch.channels_last
    return torch.contiguous_format


def _largest(x: Tensor, dims: Sequence[int]) -> Tensor:
    """Return max |x| over ``dims``, float64, flat; NaN where there is one."""
    each = x.numel() // x.shape[0]
    last = tuple(dims) == tuple(range(1, x.ndim))
    if last and (x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))):
        found = torch.empty(x.shape[0])
        _kernel("largest")(_pointer(x), ctypes.c_int64(x.shape[0]), ctypes.c_int64(each), _pointer(found))
        return found.double()
    return largest(x, dims).reshape(-1).double()


def by_channel(*tensors: Tensor) -> bool:
    """Tell whether the kernels that go by channel take these: contiguous float32 (N, C, ...) of one shape, on a CPU."""
    first = tensors[0]
    return first.numel() > 0 and first.is_contiguous() and chains(*tensors)


def affine(x: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    """Return RN32(RN64(x*a + c)). x: as :func:`by_channel` takes it; factor, shift: float32 (C,)."""
    y = torch.empty_like(x)
    _kernel("affine")(_pointer(x), _pointer(factor.contiguous()), _pointer(shift.contiguous()), *_sizes(x), _pointer(y))
    return y


def exact_sums(a: Tensor, b: Tensor | None, bits: int) -> Tensor:
    """Return the exact sums of a, or of a*b, by channel, on a grid of ``bits`` bits: float64 (C,)."""
    sums = torch.empty(a.shape[1], dtype=torch.float64)
    other = None if b is None else _pointer(b)
    _kernel("exact_sums")(_pointer(a), other, *_sizes(a), ctypes.c_int(bits), _pointer(sums))
    return sums


def centred(dy: Tensor, h: Tensor, s: Tensor, t: Tensor, factor: Tensor) -> Tensor:
    """Return RN32(RN32((dy - s) - h*t) * a). dy, h: as :func:`by_channel` takes them; s, t, factor: float32 (C,)."""
    y = torch.empty_like(dy)
    numbers = map(_pointer, (dy, h, s.contiguous(), t.contiguous(), factor.contiguous()))
    _kernel("centred")(*numbers, *_sizes(dy), _pointer(y))
    return y


def square_root(x: Tensor) -> Tensor:
    """Return F_sqrt(x), of a tensor that :func:`chains` takes."""
    y = torch.empty_like(x)
    _kernel("square_root")(_pointer(x), ctypes.c_int64(x.numel()), _pointer(y))
    return y


def _sizes(x: Tensor) -> Iterator[ctypes.c_int64]:
    """Return samples, channels, and places in each."""
    outer, channels = x.shape[:2]
    return map(ctypes.c_int64, (outer, channels, x.numel() // (outer * channels)))


def chains(*tensors: Tensor) -> bool:
    """Tell whether the kernels compute a chain of these: float32 on a CPU, laid out alike and without gaps."""
    first = tensors[0]
    alike = all(
        one.dtype == torch.float32 and one.shape == first.shape and one.stride() == first.stride() and not one.is_cuda
        for one in tensors
    )
    return alike and torch.ops.aten.is_non_overlapping_and_dense(first) and library() is not None


def chain(name: str, x: Tensor, a: Tensor, b: Tensor, value: float) -> Tensor:
    """Return one of :data:`CHAINS`; of three tensors that :func:`chains` takes."""
    y = torch.empty_like(x)
    numbers = ctypes.c_double(value), ctypes.c_int64(x.numel())
    _kernel(name)(_pointer(x), _pointer(a), _pointer(b), *numbers, _pointer(y))
    return y


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())
