"""Convolutions of any dimension and their gradients as exact integer products.

Shapes: N samples, I/O input and output channels, G groups, T taps of the kernel, P output positions, X the input's
own positions. All are one of three products: forward contracts (I, T), the gradient by the input contracts (O, T),
the gradient by the weight contracts (N, P). A transposed convolution is the second one, its input gradient the first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from repro.canonical.product import (
    NORM_LIMIT,
    ONE_PASS,
    ExactTotal,
    Route,
    contracted_chunks,
    integer_product,
    joined,
    largest_norm,
)
from repro.canonical.scale import Quantised, epilogue, quantise

BLOCK_VALUES = 2**23
"""How many float64 columns are laid out at once, where a sample needs no more: 64 MB."""


@dataclass(frozen=True)
class Geometry:
    """How a kernel moves over its input, axis by axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @classmethod
    def of(
        cls, weight: Tensor, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int
    ) -> Geometry:
        """Read the kernel's size off ``weight`` (.., .., *kernel); single numbers hold for all axes."""
        kernel = tuple(weight.shape[2:])
        strides, paddings, dilations = (
            tuple(each) * len(kernel) if len(each) == 1 else tuple(each) for each in (stride, padding, dilation)
        )
        return cls(kernel, strides, paddings, dilations, groups)

    @property
    def taps(self) -> int:
        """How many weights a kernel has for one pair of channels."""
        return math.prod(self.kernel)

    @property
    def is_pointwise(self) -> bool:
        """Whether every output sees the one input at its own position."""
        ones = (1,) * len(self.kernel)
        return self.kernel == ones and self.stride == ones and not any(self.padding)

    def turned(self) -> Geometry | None:
        """Return the convolution that computes the input gradient from an output gradient spread by the stride.

        None where the strides differ or the padding is larger than the kernel.
        """
        edges = tuple(d * (k - 1) - p for k, p, d in zip(self.kernel, self.padding, self.dilation, strict=True))
        if min(edges) < 0 or len(set(self.stride)) > 1:
            return None
        return Geometry(self.kernel, (1,) * len(self.kernel), edges, self.dilation, self.groups)

    def outputs(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return the output's sizes for an input of ``sizes``."""
        return tuple(
            (size + 2 * p - d * (k - 1) - 1) // s + 1
            for size, k, s, p, d in zip(sizes, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        )

    def tap_slices(self, sizes: Sequence[int], outputs: Sequence[int]) -> list[tuple[slice, ...]]:
        """Return for every tap, in order, the padded input's positions that meet it."""
        return [
            tuple(
                slice(at * d, at * d + s * (count - 1) + 1, s)
                for at, d, s, count in zip(place, self.dilation, self.stride, outputs, strict=True)
            )
            for place in itertools.product(*map(range, self.kernel))
        ]


def weight_by_output(weight: Tensor) -> Quantised:
    """Quantise (O, I/G, *kernel), a scale per output channel."""
    return quantise(weight, tuple(range(1, weight.ndim)))


def weight_by_input(weight: Tensor, groups: int) -> Quantised:
    """Quantise (O, I/G, *kernel), a scale per group and input channel; unit (1, G * I/G)."""
    split = weight.reshape(groups, -1, *weight.shape[1:])
    parts = quantise(split, (1, *range(3, split.ndim)))
    return Quantised(parts.values.reshape(weight.shape), parts.unit.reshape(1, -1))


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    *,
    route: Route = "float64",
    quantised_weight: Quantised | None = None,
) -> Tensor:
    """Return the convolution of x (N, I, *X) with weight (O, I/G, *kernel): float32 (N, O, *P).

    Args:
        x: float32, a scale per sample.
        weight: float32, a scale per output channel.
        bias: float32 (O,) or None.
        geometry: of the kernel.
        route: how to multiply; the bits are the same.
        quantised_weight: :func:`weight_by_output` of the weight, where it is at hand.
    """
    samples, channels = x.shape[0], weight.shape[0]
    outputs = geometry.outputs(x.shape[2:])
    if samples == 0 or 0 in outputs:
        return x.new_zeros(samples, channels, *outputs)
    q_x = quantise(x, tuple(range(1, x.ndim)))
    q_w = quantised_weight or weight_by_output(weight)
    kernels = q_w.values.reshape(geometry.groups, channels // geometry.groups, -1)
    certified = kernels.shape[2] <= ONE_PASS or largest_norm(kernels, (2,)) <= NORM_LIMIT
    total = x.new_empty(samples, geometry.groups, kernels.shape[1], math.prod(outputs), dtype=torch.float64)
    for block in _blocks(samples, x.shape[1] * geometry.taps * math.prod(outputs)):
        columns = _columns(q_x.values[block], geometry, outputs)
        total[block] = integer_product(kernels, columns, route, certified=certified)
    total = total.reshape(samples, channels, *outputs)
    scale = q_x.unit * q_w.unit.reshape(1, channels, *_ones(geometry))
    return epilogue(total, scale, None if bias is None else bias.reshape(1, -1, *_ones(geometry)))


def convolve_back(
    dy: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    geometry: Geometry,
    sizes: Sequence[int],
    *,
    route: Route = "float64",
    quantised_weight: Quantised | None = None,
) -> Tensor:
    """Return the input gradient of a convolution, which is also the transposed convolution.

    Args:
        dy: float32 (N, O, *P), a scale per sample.
        weight: float32 (O, I/G, *kernel), a scale per input channel.
        bias: float32 (I,) or None: what a transposed convolution adds.
        geometry: of the forward convolution.
        sizes: X, the positions of the result.
        route: how to multiply; the bits are the same.
        quantised_weight: :func:`weight_by_input` of the weight, where it is at hand.

    Returns:
        float32 (N, I, *X).
    """
    samples, groups, taps = dy.shape[0], geometry.groups, geometry.taps
    channels, per_group = weight.shape[1] * groups, weight.shape[0] // groups
    if dy.numel() == 0:
        return dy.new_zeros(samples, channels, *sizes)
    q_y = quantise(dy, tuple(range(1, dy.ndim)))
    q_w = quantised_weight or weight_by_input(weight, groups)
    kernels = q_w.values.reshape(groups, per_group, -1).transpose(1, 2)  # G, I/G * T, O/G
    gradients = q_y.values.reshape(samples, groups, per_group, -1)
    slices = [slice(None)]
    if per_group * taps > ONE_PASS:
        norm = largest_norm(q_w.values.reshape(groups, per_group, -1, taps), (1, 3))
        if norm > NORM_LIMIT:
            slices = contracted_chunks(per_group, taps)
    total = dy.new_empty(samples, channels, *sizes, dtype=torch.float64)
    for block in _blocks(samples, channels * taps * math.prod(dy.shape[2:])):
        parts = []
        for part in slices:
            spread = integer_product(kernels[:, :, part], gradients[block][:, :, part], route, certified=True)
            parts.append(_gather(spread.reshape(-1, channels, taps, *dy.shape[2:]), geometry, sizes))
        total[block] = joined(parts)
    scale = q_y.unit * q_w.unit.reshape(1, channels, *_ones(geometry))
    return epilogue(total, scale, None if bias is None else bias.reshape(1, -1, *_ones(geometry)))


def weight_gradient(
    x: Tensor, dy: Tensor, kernel_shape: Sequence[int], geometry: Geometry, *, route: Route = "float64"
) -> Tensor:
    """Return the gradient of a convolution by its weight.

    Args:
        x: float32 (N, I, *X), a scale per input channel.
        dy: float32 (N, O, *P), a scale per output channel.
        kernel_shape: (O, I/G, *kernel).
        geometry: of the convolution.
        route: how to multiply; the bits are the same.

    Returns:
        float32 of ``kernel_shape``.
    """
    groups, outputs = geometry.groups, dy.shape[2:]
    if x.shape[0] == 0 or dy.numel() == 0:
        return x.new_zeros(tuple(kernel_shape))
    q_x, q_y = quantise(x, (0, *range(2, x.ndim))), quantise(dy, (0, *range(2, dy.ndim)))
    samples, channels = dy.shape[:2]
    axes = (0, *range(2, dy.ndim))
    certified = largest_norm(q_y.values, axes) <= NORM_LIMIT or (
        geometry.taps == 1 and largest_norm(q_x.values, axes) <= NORM_LIMIT
    )
    total = ExactTotal(certified)
    for block in _blocks(samples, x.shape[1] * geometry.taps * math.prod(outputs)):
        columns = _columns(q_x.values[block], geometry, tuple(outputs))  # N, G, I/G * T, P
        right = columns.permute(1, 0, 3, 2).reshape(groups, -1, columns.shape[2])
        left = q_y.values[block].reshape(columns.shape[0], groups, channels // groups, -1).permute(1, 2, 0, 3)
        total.add_product(left.reshape(groups, channels // groups, -1), right, route)
    unit_x = q_x.unit.reshape(groups, 1, -1, 1).expand(groups, channels // groups, -1, 1)
    scale = q_y.unit.reshape(-1, 1, 1) * unit_x.reshape(channels, -1, 1)
    shaped = total.value().reshape(channels, kernel_shape[1], geometry.taps)
    return epilogue(shaped, scale).reshape(tuple(kernel_shape))


def _blocks(samples: int, each: int) -> list[slice]:
    """Return slices of samples so that a block of ``each`` float64 columns a sample stays within memory."""
    step = max(1, BLOCK_VALUES // max(1, each))
    return [slice(start, start + step) for start in range(0, samples, step)]


def _ones(geometry: Geometry) -> tuple[int, ...]:
    return (1,) * len(geometry.kernel)


def _columns(q: Tensor, geometry: Geometry, outputs: tuple[int, ...]) -> Tensor:
    """Return what every output position sees, float64 (N, G, I/G * T, P), channels before taps."""
    samples, groups = q.shape[0], geometry.groups
    if geometry.is_pointwise:
        return q.reshape(samples, groups, -1, math.prod(outputs)).double()
    padded = torch.nn.functional.pad(q, [p for pad in reversed(geometry.padding) for p in (pad, pad)])
    seen = torch.empty(*q.shape[:2], geometry.taps, *outputs, dtype=torch.float64, device=q.device)
    for tap, place in enumerate(geometry.tap_slices(q.shape[2:], outputs)):
        seen[:, :, tap] = padded[(slice(None), slice(None), *place)]
    return seen.reshape(samples, groups, -1, math.prod(outputs))


def _gather(spread: Tensor, geometry: Geometry, sizes: Sequence[int]) -> Tensor:
    """Add what every tap sends to its input position: integers (N, I, T, *P) to (N, I, *X)."""
    samples, channels = spread.shape[:2]
    if geometry.is_pointwise:
        return spread.reshape(samples, channels, *sizes)
    padded = [size + 2 * pad for size, pad in zip(sizes, geometry.padding, strict=True)]
    found = spread.new_zeros(samples, channels, *padded)
    for tap, place in enumerate(geometry.tap_slices(sizes, spread.shape[3:])):
        found[(slice(None), slice(None), *place)] += spread[:, :, tap]
    inner = (slice(pad, pad + size) for size, pad in zip(sizes, geometry.padding, strict=True))
    return found[(slice(None), slice(None), *inner)].contiguous()
