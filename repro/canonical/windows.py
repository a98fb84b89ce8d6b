"""Average pools, nearest upsampling and max-pool gradients: linear kernels with coefficients 0 and 1.

Integers of 53 - ceil(log2 fan-in) bits go through them exactly, in any order, atomics included. A window is a product
of intervals, so its sum is R q C for two 0/1 matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from repro.canonical.scale import quantise, sum_bits

Interval = tuple[int, int]


def average(x: Tensor, windows: Sequence[Sequence[Interval]], counts: Tensor) -> Tensor:
    """Return window sums divided by their counts, RN32(S*u / count).

    Args:
        x: float32 (N, C, H, W), a scale per sample and channel.
        windows: for each of the two axes, the half-open interval of every output place.
        counts: float64 (P, Q), what each sum is divided by.
    """
    rows, columns = (_matrix(w, size, x) for w, size in zip(windows, x.shape[-2:], strict=True))
    parts = quantise(x, (-2, -1), sum_bits(_widest(windows)))
    total = rows @ parts.values.double() @ columns.T + 0.0
    return (total * parts.unit / counts).float()


def average_gradient(dy: Tensor, windows: Sequence[Sequence[Interval]], counts: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the gradient of :func:`average`: RN64(dy/count) quantised and spread over each window."""
    rows, columns = (_matrix(w, size, dy) for w, size in zip(windows, sizes, strict=True))
    fan_in = int(rows.sum(0).max()) * int(columns.sum(0).max())
    parts = quantise(dy.double() / counts, (-2, -1), sum_bits(fan_in))
    return ((rows.T @ parts.values @ columns + 0.0) * parts.unit).float()


def gradient_at(dy: Tensor, indices: Tensor, sizes: Sequence[int], fan_in: int) -> Tensor:
    """Return the gradient of a maximum: every dy added at its index, quantised per sample and channel.

    Args:
        dy: float32 (..., P, Q).
        indices: int64, the same shape; places in the flattened plane of ``sizes``.
        sizes: H and W.
        fan_in: how many windows may share a place.
    """
    parts = quantise(dy, (-2, -1), sum_bits(fan_in))
    lead = dy.shape[:-2]
    found = torch.zeros(*lead, math.prod(sizes), dtype=torch.float64, device=dy.device)
    found.scatter_add_(-1, indices.flatten(-2), parts.values.double().flatten(-2))
    return ((found.reshape(*lead, *sizes) + 0.0) * parts.unit).float()


def nearest(x: Tensor, outputs: Sequence[int]) -> Tensor:
    """Return x (N, C, *X) at min(floor(place * in / out), in - 1) of every output place; the arithmetic is integer."""
    for axis, size in enumerate(outputs, start=2):
        places = torch.arange(size, device=x.device) * x.shape[axis] // size
        x = x.index_select(axis, places)
    return x


def nearest_gradient(dy: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the gradient of :func:`nearest` for two axes: the exact sum of what each place was copied to."""
    windows = [_copies(size, out) for size, out in zip(sizes, dy.shape[2:], strict=True)]
    counts = torch.ones((), dtype=torch.float64, device=dy.device)
    return average(dy, windows, counts)


def _copies(size: int, outputs: int) -> list[Interval]:
    """Return for every input place the outputs that copy it: those with floor(out * size / outputs) == place."""
    return [(-(-place * outputs // size), -(-(place + 1) * outputs // size)) for place in range(size)]


def pool_windows(size: int, kernel: int, stride: int, padding: int, outputs: int) -> list[Interval]:
    """Return the intervals of a pool along one axis, cut to the input."""
    starts = (place * stride - padding for place in range(outputs))
    return [(max(start, 0), min(start + kernel, size)) for start in starts]


def pool_counts(
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    outputs: Sequence[int],
    *,
    with_padding: bool,
    divisor: int | None,
    device: torch.device,
) -> Tensor:
    """Return the divisors of an average pool, float64 (P, Q), as PyTorch counts them.

    With padding a window counts what lies within the padded input, without it what lies within the input.
    """
    if divisor is not None:
        return torch.full(tuple(outputs), float(divisor), dtype=torch.float64, device=device)
    lengths = []
    for axis, size in enumerate(sizes):
        if with_padding:
            starts = [place * stride[axis] - padding[axis] for place in range(outputs[axis])]
            lengths.append([min(start + kernel[axis], size + padding[axis]) - start for start in starts])
        else:
            windows = pool_windows(size, kernel[axis], stride[axis], padding[axis], outputs[axis])
            lengths.append([stop - start for start, stop in windows])
    return _outer(lengths, device)


def adaptive_windows(size: int, outputs: int) -> list[Interval]:
    """Return floor(i*size/outputs) to ceil((i+1)*size/outputs) for every output place."""
    return [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]


def adaptive_counts(windows: Sequence[Sequence[Interval]], device: torch.device) -> Tensor:
    """Return how many places each pair of intervals holds, float64 (P, Q)."""
    return _outer([[stop - start for start, stop in axis] for axis in windows], device)


def overlap(windows: Sequence[Sequence[Interval]]) -> int:
    """Return how many windows share a place at most."""
    return math.prod(max(_covered(axis), default=1) for axis in windows)


def pooled(x: Tensor, act: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply ``act`` to x with a batch axis, which (C, H, W) lacks."""
    return act(x) if x.ndim == 4 else act(x.unsqueeze(0)).squeeze(0)


def _covered(axis: Sequence[Interval]) -> list[int]:
    size = max((stop for _, stop in axis), default=0)
    return [sum(start <= place < stop for start, stop in axis) for place in range(size)]


def _outer(lengths: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    rows, columns = (torch.tensor(each, dtype=torch.float64, device=device) for each in lengths)
    return rows[:, None] * columns[None, :]


def _widest(windows: Sequence[Sequence[Interval]]) -> int:
    return math.prod(max((stop - start for start, stop in axis), default=1) for axis in windows)


def _matrix(windows: Sequence[Interval], size: int, like: Tensor) -> Tensor:
    """Return the 0/1 matrix (outputs, size) of intervals."""
    matrix = torch.zeros(len(windows), size, dtype=torch.float64)
    for row, (start, stop) in enumerate(windows):
        matrix[row, start:stop] = 1.0
    return matrix.to(like.device)
