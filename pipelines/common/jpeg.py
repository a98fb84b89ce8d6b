"""The JPEG step of Deep-Emotion's published preparation (defect D-JPEG), and the codec that did it."""

from __future__ import annotations

import io

import numpy as np
import PIL
from PIL import Image, features


def jpeg_round_trip(images: np.ndarray, quality: int = 75) -> np.ndarray:
    """Return the images as they come back from JPEG files.

    Each is written as a grey ("L") JPEG with Pillow's defaults but the quality, whose default is Pillow's own.
    The values depend on the codec: record :func:`jpeg_versions` with them.

    Args:
        images: uint8 (n, height, width).
        quality: 1..95, of libjpeg's scale.

    Returns:
        uint8, of the same shape.
    """
    decoded = np.empty_like(images)
    for index, image in enumerate(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        with Image.open(file) as again:
            decoded[index] = np.asarray(again)
    return decoded


def jpeg_versions() -> dict[str, str]:
    """Return the versions of Pillow and of its JPEG codec, which decide the bits of :func:`jpeg_round_trip`."""
    if features.check_feature("libjpeg_turbo"):
        codec, version = "libjpeg-turbo", features.version_feature("libjpeg_turbo")
    else:
        codec, version = "libjpeg", features.version_codec("jpg")
    return {"pillow": PIL.__version__, codec: str(version)}
