"""Bilinear resize as TensorFlow 2's ``tf.image.resize`` does it, bit for bit, without TensorFlow.

Half-pixel centres, no antialiasing, float32 throughout. Each value is interpolated along x in the two rows that
it lies between, then along y, always as ``low + (high - low) * weight`` with every step rounded: TensorFlow's
CPU kernel does not fuse the multiplication into the addition (seen in 2.15.1, whose bits these are).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np


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
    low = np.empty(size, np.float32)  # kept for all images: fresh memory of this size costs more than the sums
    for image, out in zip(images, resized, strict=True):
        rows = _along_x(image.astype(np.float32), across)
        np.take(_steps(rows), down.step, axis=0, out=out, mode="clip")
        np.multiply(out, down.weight[:, None], out=out)
        np.take(rows, down.low, axis=0, out=low, mode="clip")
        np.add(low, out, out=out)
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


def _along_x(image: np.ndarray, across: _Axis) -> np.ndarray:
    steps = _steps(image.T).T.take(across.step, axis=1)
    steps *= across.weight
    steps += image.take(across.low, axis=1)
    return steps


def _steps(rows: np.ndarray) -> np.ndarray:
    """Return the differences from each row to the next, and zeros for the last, which has none."""
    steps = np.zeros_like(rows)
    np.subtract(rows[1:], rows[:-1], out=steps[:-1])
    return steps
