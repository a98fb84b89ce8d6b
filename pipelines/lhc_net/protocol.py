"""How LHC-Net's evaluation prepares images and counts answers (``Lib/Utils.py``, ``LHC_Eval.py`` upstream)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.lhc_net.etl import evaluation_inputs
from repro.schema import Protocol, Samples

PASSES = 60
UNTOUCHED_WEIGHT = 3
ZOOM = 0.9


@dataclass(frozen=True)
class View:
    """One pass of test-time augmentation: flip, zoom, shift and rotation, in this order.

    Attributes:
        zoomed: cut to the central 90 % and resized back.
        right, down: shift in pixels.
        radians: positive turns counter-clockwise.
    """

    flipped: bool = False
    zoomed: bool = False
    right: float = 0.0
    down: float = 0.0
    radians: float = 0.0


def views() -> list[View]:
    """Return the 59 views behind the untouched image, in the published order (defect L-TTA)."""
    turns, shifts = (0.0, 0.4, -0.4), (0.0, 10.0, -10.0)
    moved = [
        View(flipped, False, right, down, radians)
        for radians, right, down, flipped in itertools.product(turns, shifts, shifts, (False, True))
    ][1:]
    zoomed = [
        View(flipped, True, 0.0, 0.0, turn) for turn, flipped in itertools.product((0.0, 0.15, -0.15), (False, True))
    ]
    return moved + zoomed


def prepare(images: np.ndarray, settings: dict[str, Any], samples: Samples) -> np.ndarray:
    """Return network inputs in 0..255: resized to 224 x 224 in float32, three equal channels, nothing else.

    Args:
        images: uint8 (n, height, width).
        settings: ``layout``: ``NHWC``, or ``NCHW`` for the PyTorch port.
        samples: not asked for; nothing is drawn.
    """
    inputs = evaluation_inputs(images)
    return inputs if settings["layout"] == "NHWC" else np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))


def summarise(scores: np.ndarray, labels: np.ndarray, protocol: Protocol) -> dict[str, Any]:
    """Return what the published scripts print: the accuracy with 17 decimals and how many maxima are not unique.

    ``smallest_margin`` is the distance between the two highest scores where it is smallest: what an answer hangs on.
    """
    accuracy = float(np.mean(scores.argmax(axis=1) == labels))
    ties = int(((scores == scores.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
    two = np.sort(scores.astype(np.float64), axis=1)[:, -2:]
    return {"printed": f"{accuracy:.17f}", "ties": ties, "smallest_margin": float((two[:, 1] - two[:, 0]).min())}
