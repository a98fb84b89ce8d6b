"""Bilinear resize as TensorFlow 2's ``tf.image.resize`` does it, bit for bit, without TensorFlow.

Half-pixel centres, no antialiasing, float32 throughout. Each value is interpolated along x in the two rows that
it lies between, then along y, always as ``low + (high - low) * weight`` with every step rounded: TensorFlow's
CPU kernel does not fuse the multiplication into the addition (seen in 2.15.1, whose bits these are).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

_TOGETHER = 8  # images: few calls, each of which leaves the interpreter's lock once, on arrays that the cache holds


def resize_bilinear(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the images enlarged or reduced as ``tf.image.resize(images, size)`` has them.

    Each image is resized by itself: how many come at once changes nothing.

    Args:
        images: uint8 or float32 (n, height, width); finite values.
        size: height and width of the result.

    Returns:
        float32 (n, *size).
    """
    down, across = _axis(images.shape[1], size[0]), _axis(images.shape[2], size[1])
    resized = np.empty((len(images), *size), np.float32)
    for start in range(0, len(images), _TOGETHER):
        piece = images[start : start + _TOGETHER].astype(np.float32)
        rows = _between(piece, across, axis=2)
        _between(rows, down, axis=1, out=resized[start : start + _TOGETHER])
    return resized


class _Axis(NamedTuple):
    low: np.ndarray  # the neighbour below each target's place
    step: np.ndarray  # index into the steps to the neighbour above; the last one is zero
    weight: np.ndarray  # how far towards it, float32


@cache
def _axis(source: int, target: int) -> _Axis:
    half = np.float32(0.5)
    place = (np.arange(target, dtype=np.float32) + half) * (np.float32(source) / np.float32(target)) - half
    floor = np.floor(place)
    low = np.maximum(floor.astype(np.intp), 0)
    high = np.minimum(np.ceil(place).astype(np.intp), source - 1)
    return _Axis(low, np.where(high > low, low, source - 1), place - floor)


def _between(values: np.ndarray, place: _Axis, axis: int, out: np.ndarray | None = None) -> np.ndarray:
    """Return the values at the targets' places along an axis of (n, height, width)."""
    shape = [1, 1, 1]
    shape[axis] = -1
    between = np.take(_steps(values, axis), place.step, axis=axis, out=out, mode="clip")
    between *= place.weight.reshape(shape)
    between += values.take(place.low, axis=axis)
    return between


def _steps(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the differences from each value to the next along an axis, and zeros for the last, which has none."""
    steps = np.zeros_like(values)
    low, high = [slice(None)] * 3, [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    np.subtract(values[tuple(high)], values[tuple(low)], out=steps[tuple(low)])
    return steps
