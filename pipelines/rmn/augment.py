"""What training images go through: random flips and turns of faces, random crops of ImageNet's pictures.

Source: phamquiluan/ResidualMaskingNetwork at 9141618, ``utils/augmenters/augment.py`` and ``legacy/main_imagenet.py``.
There the workers' generators are copies of one another (R-WORKERS); here every image of every epoch draws from its own
name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pipelines.rmn import imagenet
from pipelines.rmn.views import view
from repro.digest.draws import uniforms
from repro.schema import Samples

_ATTEMPTS = 10  # of torchvision's RandomResizedCrop to find a box that fits
_EACH = 4  # numbers of an attempt: area, aspect, top, left


def augment(images: Sequence[np.ndarray], settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return training inputs, float32 (n, 3, size, size).

    Args:
        images: uint8; faces (height, width), ImageNet's pictures of any size and colour.
        settings: ``image_size`` and ``augmentation``: ``flip``, a probability, and ``degrees`` to either side; or for
            ImageNet ``scale`` and ``ratio`` of the crop.
        samples: name the draws of each image.
    """
    drawn = settings["augmentation"]
    if "degrees" not in drawn:
        return np.stack(
            [_cropped(image, settings["image_size"], drawn, samples.key(i)) for i, image in enumerate(images)]
        )
    size, views = settings["image_size"], []
    for place, image in enumerate(images):
        flip, angle = uniforms(f"augment/{samples.key(place)}", 2)
        resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
        views.append(view(resized, bool(flip < drawn["flip"]), float(2 * angle - 1) * drawn["degrees"]))
    grey = np.stack(views).astype(np.float32) / np.float32(255)
    return np.repeat(grey[:, np.newaxis], 3, axis=1)


def _cropped(image: np.ndarray, size: int, drawn: dict[str, Any], key: str) -> np.ndarray:
    """Return a random part of a picture in the wanted size, perhaps flipped, normalised."""
    picture = Image.fromarray(image).convert("RGB")
    numbers = uniforms(f"augment/{key}", 1 + _ATTEMPTS * _EACH)
    box = crop_box(*picture.size, drawn["scale"], drawn["ratio"], numbers[1:])
    pixels = np.asarray(picture.crop(box).resize((size, size), Image.Resampling.BILINEAR))
    return imagenet.normalised(pixels[:, ::-1] if numbers[0] < drawn["flip"] else pixels)


def crop_box(
    width: int, height: int, scale: Sequence[float], ratio: Sequence[float], numbers: np.ndarray
) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the part that torchvision's ``RandomResizedCrop`` would take.

    Args:
        scale: least and largest share of the area.
        ratio: least and largest width by height; the logarithm is uniform.
        numbers: uniform in [0, 1), four for each attempt; after the last one, the largest middle part is taken.
    """
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for share, aspect, down, right in numbers.reshape(-1, _EACH):
        area = width * height * (scale[0] + (scale[1] - scale[0]) * share)
        by = math.exp(low + (high - low) * aspect)
        wide, tall = round(math.sqrt(area * by)), round(math.sqrt(area / by))
        if 0 < wide <= width and 0 < tall <= height:
            top, left = int(down * (height - tall + 1)), int(right * (width - wide + 1))
            return left, top, left + wide, top + tall
    wide = min(width, round(height * ratio[1]))
    tall = min(height, round(width / ratio[0]))
    left, top = (width - wide) // 2, (height - tall) // 2
    return left, top, left + wide, top + tall
