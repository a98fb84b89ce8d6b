"""The random views of test-time augmentation: which flips and angles each image gets, and the views themselves.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``utils/augmenters/augment.py`` and
``utils/datasets/fer2013dataset.py``: imgaug's ``Fliplr(0.5)``, then ``Affine(rotate=(-30, 30))`` with its defaults.

imgaug draws from one generator for the whole process, and which generator that is depends on its version (defect
R-IMGAUG). Here the draws come from a named generator of NumPy, and are kept as data with the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from repro.schema import Samples

MAX_DEGREES = 30.0
_NUMBERS = 2  # drawn for a view: one for the flip, one for the angle


def draws(settings: dict[str, Any], samples: Samples) -> tuple[str, dict[str, np.ndarray]]:
    """Return what is drawn for these images.

    Args:
        settings: ``views`` per image; ``stream``: ``one`` for the published way, in which all images and models share
            one stream (R-ORDER), or ``per image`` for a stream that depends on nothing but seed, row and
            ``model``; for the published way ``after``, the models before.
        samples: rows, positions, seed and the size of the split.

    Returns:
        a sentence, and the arrays ``flips`` (bool) and ``degrees`` (float64), each (n, views); no array without views.
    """
    views = settings["views"]
    if not views:
        return "no view is drawn", {}
    if settings["stream"] == "one":
        sentence, numbers = _shared(settings, samples)
    else:
        keys = int.from_bytes(settings["model"].encode(), "little")
        sentence = f"a Philox stream for each image, keyed by seed {samples.seed}, row and {settings['model']}"
        numbers = np.stack([_own(samples.seed, int(row), keys, views) for row in samples.rows])
    return sentence, {
        "flips": numbers[..., 0] < 0.5,
        "degrees": (2 * numbers[..., 1] - 1) * MAX_DEGREES,
    }


def _shared(settings: dict[str, Any], samples: Samples) -> tuple[str, np.ndarray]:
    views = settings["views"]
    start = len(settings["after"]) * samples.count * views
    numbers = _stream(samples.seed, start, samples.count * views).reshape(-1, views, _NUMBERS)
    names = ", ".join(settings["after"]) or "no model"
    sentence = f"one SFC64 stream, seed {samples.seed}, from view {start} on: behind those of {names}"
    return sentence, numbers[samples.positions]


@lru_cache(maxsize=2)
def _stream(seed: int, start: int, count: int) -> np.ndarray:
    """Return the numbers of ``count`` views, (count, 2), behind the first ``start`` views of the stream."""
    return np.random.Generator(np.random.SFC64(seed)).random((start + count, _NUMBERS))[start:]


def _own(seed: int, row: int, model: int, views: int) -> np.ndarray:
    sequence = np.random.SeedSequence([seed, row, model])
    return np.random.Generator(np.random.Philox(sequence)).random((views, _NUMBERS))


def view(image: np.ndarray, flip: bool, degrees: float) -> np.ndarray:
    """Return one view of a grey image, uint8 of the same shape: flipped, then turned about its centre.

    As imgaug's Affine with its OpenCV backend: positive degrees turn clockwise, bilinear, black outside.
    """
    if flip:
        image = image[:, ::-1]
    height, width = image.shape
    radians = np.deg2rad(degrees)
    cosine, sine = np.cos(radians), np.sin(radians)
    x, y = width / 2 - 0.5, height / 2 - 0.5
    matrix = np.array([[cosine, -sine, x - cosine * x + sine * y], [sine, cosine, y - sine * x - cosine * y]])
    turned: np.ndarray = cv2.warpAffine(
        np.ascontiguousarray(image),
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return turned


def views_of(image: np.ndarray, flips: Sequence[bool], degrees: Sequence[float]) -> np.ndarray:
    """Return the views of one grey image, uint8 (views, height, width)."""
    return np.stack([view(image, bool(flip), float(angle)) for flip, angle in zip(flips, degrees, strict=True)])
