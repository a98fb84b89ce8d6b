"""What LHC-Net is trained on: JPEG images, turned, moved, zoomed and flipped at random, as Keras' generator does it.

The published scripts draw from one global generator for all images (defect L-RNG). Here each image of each epoch has
draws of its own; what is done with them is ``apply_transform`` of Keras-Preprocessing 1.1.2, the authors' version.
Keras 2.15, with which their own check runs here, turns the other way and takes rows for columns (defect L-VERSIONS).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from pipelines.lhc_net.etl import training_jpegs
from repro.digest.draws import uniforms
from repro.schema import Samples

_DRAWS = 6


@dataclass(frozen=True)
class Change:
    """What is done to one image.

    Attributes:
        degrees: of the rotation.
        down, right: shifts in pixels.
        zoom: of the rows and of the columns.
        flipped: left to right, last.
    """

    degrees: float = 0.0
    down: float = 0.0
    right: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    flipped: bool = False


def augment(images: np.ndarray, settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return training inputs in 0..255, float32 (n, 224, 224, 3).

    Args:
        images: uint8 (n, 48, 48).
        settings: ``generator``: the arguments of Keras' ``ImageDataGenerator``; an empty one changes nothing.
        samples: name the draws.
    """
    changed = [
        transformed(grey, change(settings["generator"], grey.shape, f"augment/{samples.key(place)}"))
        for place, grey in enumerate(training_images(images))
    ]
    return np.repeat(np.stack(changed)[..., None], 3, axis=-1)


def training_images(images: np.ndarray) -> list[np.ndarray]:
    """Return what Keras reads from the training tree's files: one of three equal channels, float32 (224, 224) each."""
    return [np.asarray(Image.open(io.BytesIO(data)))[..., 0].astype(np.float32) for data in training_jpegs(images)]


def change(generator: dict[str, Any], shape: tuple[int, ...], name: str) -> Change:
    """Draw what is done to an image, from a name."""
    turn, down, right, *zoom, flip = uniforms(name, _DRAWS)

    def around_zero(drawn: float, limit: float) -> float:
        return float(limit * (2 * drawn - 1))

    return Change(
        degrees=around_zero(turn, generator.get("rotation_range", 0.0)),
        down=around_zero(down, generator.get("height_shift_range", 0.0)) * shape[0],
        right=around_zero(right, generator.get("width_shift_range", 0.0)) * shape[1],
        zoom=tuple(1 + around_zero(drawn, generator.get("zoom_range", 0.0)) for drawn in zoom),  # type: ignore[arg-type]
        flipped=bool(flip < 0.5) and generator.get("horizontal_flip", False),
    )


def transformed(image: np.ndarray, wanted: Change) -> np.ndarray:
    """Return an image changed: one affine map, linear between pixels, the border repeated; then the flip.

    Args:
        image: float32 (height, width).
        wanted: what is done.
    """
    matrix = None
    if wanted.degrees != 0:
        angle = np.deg2rad(wanted.degrees)
        matrix = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    if wanted.down != 0 or wanted.right != 0:
        matrix = _after(matrix, np.array([[1, 0, wanted.down], [0, 1, wanted.right], [0, 0, 1]]))
    if wanted.zoom != (1, 1):
        matrix = _after(matrix, np.diag([*wanted.zoom, 1.0]))
    if matrix is not None:
        centre = [size / 2 - 0.5 for size in image.shape]
        there, back = (np.array([[1, 0, s * centre[0]], [0, 1, s * centre[1]], [0, 0, 1]]) for s in (1, -1))
        matrix = np.dot(np.dot(there, matrix), back)
        image = ndimage.affine_transform(image, matrix[:2, :2], matrix[:2, 2], order=1, mode="nearest")
    return image[:, ::-1] if wanted.flipped else image


def _after(matrix: np.ndarray | None, next_one: np.ndarray) -> np.ndarray:
    together: np.ndarray = next_one if matrix is None else np.dot(matrix, next_one)
    return together
