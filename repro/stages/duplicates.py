"""Images that occur more than once: to the pixel, and nearly. Integers throughout, so the same lists everywhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NEAR_BOXES = 12
"""An image is averaged in this many boxes along each side before it is compared."""

NEAR_LEVELS = 8
"""Two images are near duplicates where their box averages differ by at most this many grey levels in the mean."""

_COARSE = 3  # boxes along each side of the bound that is computed first
_CHUNK = 256


class NearPair(NamedTuple):
    """Two images, ``first < second``, and the sum of the absolute differences of their boxes' sums."""

    first: int
    second: int
    distance: int


def near_pairs(images: np.ndarray, levels: int = NEAR_LEVELS) -> list[NearPair]:
    """Return all pairs of near duplicates, sorted.

    The distance is ``sum over boxes of |sum of a's pixels - sum of b's pixels|``; near is
    ``distance <= levels * height * width``. Sums over larger boxes bound it from below, so that most pairs need
    one subtraction or nine; none is missed.

    Args:
        images: uint8 (n, height, width), 12 or more pixels to a side.
        levels: the largest mean difference, in grey levels.
    """
    most = levels * images.shape[1] * images.shape[2]
    fine = _box_sums(images, NEAR_BOXES)
    coarse = _nested(fine)
    total = coarse.sum(axis=1)
    order = np.argsort(total, kind="stable")
    fine, coarse, total = fine[order], coarse[order], total[order]
    found = []
    for start in range(0, len(order), _CHUNK):
        stop = min(start + _CHUNK, len(order))
        end = int(np.searchsorted(total, total[stop - 1] + most, side="right"))
        first, second = np.nonzero(_within(coarse[start:stop], coarse[start:end], most))
        later = second > first
        first, second = first[later] + start, second[later] + start
        for part in range(0, len(first), 1 << 16):
            one, other = first[part : part + (1 << 16)], second[part : part + (1 << 16)]
            distance = np.abs(fine[one] - fine[other]).sum(axis=1)
            for place in np.flatnonzero(distance <= most):
                pair = sorted((int(order[one[place]]), int(order[other[place]])))
                found.append(NearPair(pair[0], pair[1], int(distance[place])))
    return sorted(found)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return an image of any size as grey box means, uint8 (12, 12): by these, images of a folder are compared.

    Args:
        image: uint8 (height, width) or (height, width, 3); colours are weighed as ITU-R 601-2 does, in whole numbers.
    """
    if image.ndim == 3:
        image = image.astype(np.int32) @ np.array([299, 587, 114], np.int32) // 1000
    for axis in (0, 1):
        image = image.repeat(-(-NEAR_BOXES // image.shape[axis]), axis=axis)  # one box is a pixel at least
    rows, columns = (np.arange(NEAR_BOXES) * side // NEAR_BOXES for side in image.shape)
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.int64), rows, axis=0), columns, axis=1)
    areas = np.outer(np.diff(rows, append=image.shape[0]), np.diff(columns, append=image.shape[1]))
    return (sums // areas).astype(np.uint8)


def _box_sums(images: np.ndarray, boxes: int) -> np.ndarray:
    """Return the sums of the pixels in each box, int32 (n, boxes * boxes)."""
    height, width = images.shape[1:]
    sums = np.empty((len(images), boxes, boxes), np.int32)
    rows, columns = (np.arange(boxes) * side // boxes for side in (height, width))
    for start in range(0, len(images), 1024):  # memory stays bounded
        part = images[start : start + 1024].astype(np.int32)
        sums[start : start + 1024] = np.add.reduceat(np.add.reduceat(part, rows, axis=1), columns, axis=2)
    return sums.reshape(len(images), boxes * boxes)


def _nested(fine: np.ndarray) -> np.ndarray:
    """Return the sums over larger boxes made of the small ones, int32 (n, 9)."""
    side = NEAR_BOXES // _COARSE
    grouped = fine.reshape(-1, _COARSE, side, _COARSE, side).sum(axis=(2, 4), dtype=np.int32)
    return grouped.reshape(-1, _COARSE * _COARSE)


def _within(some: np.ndarray, others: np.ndarray, most: int) -> np.ndarray:
    """Return which pairs' coarse distance does not exceed the bound, bool (len(some), len(others))."""
    distance = np.zeros((len(some), len(others)), np.int32)
    difference = np.empty_like(distance)
    for column in range(some.shape[1]):
        np.subtract(some[:, column, None], others[None, :, column], out=difference)
        np.abs(difference, out=difference)
        distance += difference
    return distance <= most
