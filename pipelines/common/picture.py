"""Pictures of one face, as a person has them, made into what a data set would hold. A crop of the face is expected."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from repro.errors import BadInput, MissingFile

_FER_SIZE = (48, 48)


def rgb(path: Path) -> np.ndarray:
    """Return the picture in colour, uint8 (height, width, 3), of its own size.

    Raises:
        MissingFile: it is not there.
        BadInput: it is no image that Pillow reads, or not a whole one.
    """
    return np.asarray(_read(path, "RGB"))


def grey(path: Path) -> np.ndarray:
    """Return the picture in grey (ITU-R 601 luma, as Pillow converts), uint8 (height, width), of its own size.

    Raises:
        MissingFile, BadInput: as :func:`rgb`.
    """
    return np.asarray(_read(path, "L"))


def grey_48(path: Path) -> np.ndarray:
    """Return the picture in grey as large as FER2013's, uint8 (48, 48): OpenCV's bilinear resize.

    Raises:
        MissingFile, BadInput: as :func:`rgb`.
    """
    return np.asarray(cv2.resize(grey(path), _FER_SIZE, interpolation=cv2.INTER_LINEAR))


def _read(path: Path, mode: str) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert(mode)
    except FileNotFoundError as error:
        raise MissingFile(f"no picture at {path}", next_step="give the path of a JPEG or PNG of one face") from error
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path}: not a readable image ({error})", next_step="give a JPEG or PNG of one face") from error
