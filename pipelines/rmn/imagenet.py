"""How the ImageNet rows of the table are prepared (``legacy/main_imagenet.py`` upstream, its validation transforms)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]


def prepare(images: Sequence[np.ndarray], settings: dict[str, Any]) -> np.ndarray:
    """Return network inputs, float32 (n, 3, crop, crop), ImageNet-normalised; nothing is drawn.

    torchvision's ``Resize`` on PIL images (bilinear, antialiased, aspect kept), ``CenterCrop``, ``ToTensor`` and
    ``Normalize``.

    Args:
        images: uint8, each (height, width) grey or (height, width, 3).
        settings: ``shorter_side`` after the resize; ``image_size`` of the crop, not larger.
    """
    return np.stack([_prepared(image, settings["shorter_side"], settings["image_size"]) for image in images])


def _prepared(image: np.ndarray, side: int, crop: int) -> np.ndarray:
    picture = Image.fromarray(image).convert("RGB")
    width, height = picture.size
    longer = int(side * max(width, height) / min(width, height))
    size = (side, longer) if width <= height else (longer, side)
    pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
    top, left = (round((length - crop) / 2) for length in pixels.shape[:2])
    pixels = pixels[top : top + crop, left : left + crop]
    return normalised(pixels)


def normalised(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 (height, width, 3) as float32 (3, height, width), ImageNet-normalised."""
    scaled = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    inputs: np.ndarray = (scaled - _MEAN) / _DEVIATION
    return inputs
