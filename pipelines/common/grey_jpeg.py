"""JPEG files of grey images in three equal channels, as Pillow writes them, but faster.

Of three equal channels libjpeg makes a luminance that is the image and two chroma planes of 128, exactly. simplejpeg
hands it those planes as they are, and lets other threads run meanwhile, which Pillow does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version

import numpy as np
import simplejpeg

from pipelines.common.jpeg import jpeg_versions, rgb_jpeg
from repro.errors import PrerequisiteError

_NO_COLOUR = 128
_QUALITY = 100  # below 96, the two libraries' cosine transforms round differently


def rgb_jpegs(images: np.ndarray) -> Iterator[bytes]:
    """Yield the bytes of :func:`pipelines.common.jpeg.rgb_jpeg` of quality 100 for each image.

    Pillow writes the first of them too: that both libraries' codecs give the same bytes is seen in every call.

    Args:
        images: uint8 (n, height, width).

    Raises:
        PrerequisiteError: they do not.
    """
    chroma = _no_colour(images.shape[1:])
    for index, image in enumerate(images):
        luminance = np.ascontiguousarray(image)
        data = simplejpeg.encode_jpeg_yuv_planes(luminance, chroma, chroma, quality=_QUALITY, fastdct=False)
        if index == 0 and data != rgb_jpeg(luminance, _QUALITY):
            told = ", ".join(f"{name} {number}" for name, number in grey_jpeg_versions().items())
            raise PrerequisiteError(
                f"two JPEG libraries write other bytes for one image: {told}",
                next_step="install the versions of the stack's lock: make setup",
            )
        yield data


def grey_jpeg_versions() -> dict[str, str]:
    """Return the versions of what decides the files' bytes: Pillow, its codec, and simplejpeg, which has its own."""
    return {**jpeg_versions(), "simplejpeg": version("simplejpeg")}


@lru_cache(maxsize=8)
def _no_colour(shape: tuple[int, int]) -> np.ndarray:
    return np.full(shape, _NO_COLOUR, np.uint8)
