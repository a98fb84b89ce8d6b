"""What training images go through, and in which order they come: POSTER V2's own way and the student's.

Source: ``main.py`` and ``main_8.py`` of Talented-Q/POSTER_V2 at 18de559; ``main.py`` and ``main_no_augmentation.py`` of
daunnn/Deep-Learning-Reproducibility-Project at d9a635c. torchvision's transforms on PIL images, drawn by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from pipelines.poster.protocol import ATTEMPTS, normalised, resized, stacked
from repro.digest.draws import permutation, uniforms
from repro.schema import Samples

_EACH = 4  # numbers of an attempt to erase: area, aspect, top, left


def augment(images: Sequence[np.ndarray], settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return training inputs, float32 (n, 3, height, width), ImageNet-normalised.

    Args:
        images: uint8, each (height, width) grey or (height, width, 3).
        settings: ``resize``, and in ``augmentation`` what is drawn, each left out where it is not: ``flip``, a
            probability; ``color_jitter``; ``rotation`` in degrees; ``translate``, a share; ``erasing``.
        samples: name the draws of each image.

    Raises:
        BadInput: images of a batch come out in different shapes.
    """
    return stacked([_drawn(image, settings, samples.key(place)) for place, image in enumerate(images)], samples)


def _drawn(image: np.ndarray, settings: dict[str, Any], key: str) -> np.ndarray:
    drawn = settings["augmentation"]
    picture = resized(image, settings["resize"])
    flip, angle, right, down, erase = uniforms(f"augment/{key}", 5)
    if flip < drawn.get("flip", 0.0):
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if "color_jitter" in drawn:
        picture = _jittered(picture, drawn["color_jitter"], key)
    if "rotation" in drawn:
        picture = picture.rotate((2 * angle - 1) * drawn["rotation"], Image.Resampling.NEAREST, fillcolor=(0, 0, 0))
    if "translate" in drawn:
        by = [
            round((2 * number - 1) * drawn["translate"] * side)
            for number, side in zip((right, down), picture.size, strict=True)
        ]
        matrix = (1.0, 0.0, -by[0], 0.0, 1.0, -by[1])
        picture = picture.transform(
            picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=(0, 0, 0)
        )
    inputs = normalised(picture)
    if "erasing" in drawn and erase < drawn["erasing"]["probability"]:
        _erase(inputs, drawn["erasing"], uniforms(f"erase/{key}", ATTEMPTS * _EACH))
    return inputs


def _jittered(picture: Image.Image, jitter: dict[str, float], key: str) -> Image.Image:
    """Change brightness, contrast, saturation and hue in a random order, as torchvision's ``ColorJitter`` does."""
    numbers = 2 * uniforms(f"jitter/{key}", 4) - 1
    strength = [jitter[name] for name in ("brightness", "contrast", "saturation", "hue")]
    factors = [float(number) * each for number, each in zip(numbers, strength, strict=True)]
    steps: list[Callable[[Image.Image], Image.Image]] = [
        lambda one: ImageEnhance.Brightness(one).enhance(1 + factors[0]),
        lambda one: ImageEnhance.Contrast(one).enhance(1 + factors[1]),
        lambda one: ImageEnhance.Color(one).enhance(1 + factors[2]),
        lambda one: _turned(one, factors[3]),
    ]
    for place in permutation(f"order of the jitter/{key}", len(steps)):
        picture = steps[place](picture)
    return picture


def _turned(picture: Image.Image, factor: float) -> Image.Image:
    """Turn the hue by a share of the circle, in bytes that wrap."""
    hue, saturation, value = picture.convert("HSV").split()
    turned = np.asarray(hue) + np.int32(factor * 255).astype(np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert("RGB")


def _erase(inputs: np.ndarray, erasing: dict[str, Any], numbers: np.ndarray) -> None:
    """Set a random box to 0 as torchvision's RandomErasing chooses it; nothing where no box fits in ten attempts."""
    height, width = inputs.shape[1:]
    low, high = (math.log(ratio) for ratio in erasing["ratio"])
    least, most = erasing["scale"]
    for share, aspect, down, right in numbers.reshape(-1, _EACH):
        area = height * width * (least + (most - least) * share)
        by = math.exp(low + (high - low) * aspect)
        rows, columns = round(math.sqrt(area * by)), round(math.sqrt(area / by))
        if rows < height and columns < width:
            top, left = int(down * (height - rows + 1)), int(right * (width - columns + 1))
            inputs[:, top : top + rows, left : left + columns] = 0
            return


def balanced_order(labels: np.ndarray, name: str) -> np.ndarray:
    """Return an epoch's places with every class equally probable, drawn with replacement, as many as there are images.

    What ``torchsampler.ImbalancedDatasetSampler`` draws: an image's weight is 1 / images of its class.

    Args:
        labels: int64 (n,).
        name: of the draws.
    """
    classes = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    which, where = uniforms(name, 2 * len(labels)).reshape(2, -1)
    places = [classes[int(one * len(classes))] for one in which]
    return np.array([own[int(at * len(own))] for own, at in zip(places, where, strict=True)], np.int64)
