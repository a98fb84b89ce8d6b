"""How POSTER V2 and its student reproduction prepare images and count answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from repro.errors import BadInput
from repro.schema import Protocol, Samples

SIDE = 224
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]
ATTEMPTS = 10  # of torchvision's RandomErasing to find a box that fits


def prepare(images: Sequence[np.ndarray], settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return network inputs, float32 (n, 3, height, width), ImageNet-normalised.

    Source: ``main.py`` and ``main_8.py`` of both repositories: PIL's bilinear resize (which antialiases),
    ``ToTensor``, ``Normalize``, and where the student's evaluation is random, its flip and erasing (P-RANDEVAL).

    Args:
        images: uint8, each (height, width) grey or (height, width, 3).
        settings: ``resize``: ``squash`` to 224 x 224, or ``shorter side`` to 224 with the aspect kept;
            ``flip``: probability; ``erasing``: ``None``, or ``probability``, ``scale`` and ``ratio``.
        samples: the draws of an image depend on the seed and its position alone.

    Raises:
        BadInput: images of a batch come out in different shapes; the published code cannot batch them either.
    """
    prepared = []
    for image, position in zip(images, samples.positions, strict=True):
        stream = np.random.Generator(np.random.Philox(key=[samples.seed, int(position)]))
        prepared.append(_prepared(image, settings, stream))
    return stacked(prepared, samples)


def stacked(prepared: Sequence[np.ndarray], samples: Samples) -> np.ndarray:
    """Return the inputs of a batch as one array; raises BadInput where they have different shapes."""
    first = prepared[0].shape
    for inputs, row in zip(prepared, samples.rows, strict=True):
        if inputs.shape != first:
            raise BadInput(
                f"row {int(row) + 1}: the image is {inputs.shape[2]} x {inputs.shape[1]} once its shorter side is "
                f"{SIDE}, others of its batch are {first[2]} x {first[1]}",
                next_step="crop the images to one aspect, or use a protocol that squashes them",
            )
    return np.stack(prepared)


def resized(image: np.ndarray, how: str) -> Image.Image:
    """Return an image in colours and in the network's size: ``squash``, or ``shorter side``."""
    picture = Image.fromarray(image).convert("RGB")
    return picture.resize(_size(picture, how), Image.Resampling.BILINEAR)


def normalised(pixels: Image.Image | np.ndarray) -> np.ndarray:
    """Return ``ToTensor``, then ``Normalize``: the same three single-precision operations in the same order."""
    scaled = np.asarray(pixels).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    inputs: np.ndarray = (scaled - _MEAN) / _DEVIATION
    return inputs


def _prepared(image: np.ndarray, settings: dict[str, Any], stream: np.random.Generator) -> np.ndarray:
    pixels = np.asarray(resized(image, settings["resize"]))
    if settings["flip"] and stream.random() < settings["flip"]:
        pixels = pixels[:, ::-1]
    inputs = normalised(pixels)
    erasing = settings["erasing"]
    if erasing is not None and stream.random() < erasing["probability"]:
        _erase(inputs, erasing, stream)
    return inputs


def _size(picture: Image.Image, how: str) -> tuple[int, int]:
    """Return width and height after the resize."""
    if how == "squash":
        return SIDE, SIDE
    width, height = picture.size
    longer = int(SIDE * max(width, height) / min(width, height))
    return (SIDE, longer) if width <= height else (longer, SIDE)


def _erase(inputs: np.ndarray, erasing: dict[str, Any], stream: np.random.Generator) -> None:
    """Set a random box to 0 as torchvision's RandomErasing chooses it; nothing where no box fits in ten attempts."""
    height, width = inputs.shape[1:]
    low, high = (math.log(ratio) for ratio in erasing["ratio"])
    for _ in range(ATTEMPTS):
        area = height * width * stream.uniform(*erasing["scale"])
        aspect = math.exp(stream.uniform(low, high))
        rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if rows < height and columns < width:
            top = int(stream.integers(0, height - rows + 1))
            left = int(stream.integers(0, width - columns + 1))
            inputs[:, top : top + rows, left : left + columns] = 0
            return


def summarise(scores: np.ndarray, labels: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """Return what the published evaluation prints: a float32 running mean over batches, three decimals.

    Args:
        scores: float32 (n, outputs).
        labels: (n,).
        protocol: as declared; the printed mean is computed where ``settings["accuracy"]`` is ``running mean``.
    """
    if protocol.settings["accuracy"] != "running mean":
        return {}
    right = scores.argmax(axis=1) == labels
    total, count = np.float32(0), 0
    for start in range(0, len(right), protocol.batch):
        part = right[start : start + protocol.batch]
        accuracy = np.float32(part.sum()) * np.float32(100 / len(part))
        total += accuracy * np.float32(len(part))
        count += len(part)
    mean = float(total / np.float32(count))
    return {"published_mean": mean, "printed": f"{mean:.3f}"}
