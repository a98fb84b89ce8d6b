"""JPEG files as the published scripts write them with Pillow, and the codec that did it."""

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
        with Image.open(io.BytesIO(grey_jpeg(image, quality))) as again:
            decoded[index] = np.asarray(again)
    return decoded


def grey_jpeg(image: np.ndarray, quality: int = 75) -> bytes:
    """Return the bytes of a grey ("L") JPEG file; image uint8 (height, width), quality as :func:`jpeg_round_trip`."""
    return _saved(Image.fromarray(image), quality=quality)


def rgb_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Return the bytes of an RGB JPEG file whose three channels are the image; no chroma subsampling (4:4:4)."""
    return _saved(Image.fromarray(image).convert("RGB"), quality=quality, subsampling=0)


def _saved(image: Image.Image, **settings: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **settings)
    return file.getvalue()


def jpeg_versions() -> dict[str, str]:
    """Return the versions of Pillow and of its JPEG codec, which decide the files' bytes."""
    if features.check_feature("libjpeg_turbo"):
        codec, version = "libjpeg-turbo", features.version_feature("libjpeg_turbo")
    else:
        codec, version = "libjpeg", features.version_codec("jpg")
    return {"pillow": PIL.__version__, codec: str(version)}
