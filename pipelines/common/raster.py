"""A rasteriser of whole numbers alone: the same bytes on every machine, whatever its floating point does.

Lengths are in units of 1/64 pixel, coverages in 1/256. All arrays are int32; those of a batch of images are
(n, height, width), parameters are (n, 1, 1) or plain integers. Bounds on both keep every product below 2^31:
coordinates up to 2^13, radii from 2^4 to 2^12.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

UNITS_PER_PIXEL = 64
FULL = 256  # the coverage of a pixel that lies wholly inside

Parameter = np.ndarray | int


class Curve(NamedTuple):
    """A height along a width: ``middle`` at 0, rising by ``slope`` and ``bend`` towards the right end.

    Attributes:
        middle: the height in the middle; down is positive.
        slope: added at the right end, taken off at the left.
        bend: added at both ends.
        roundness: 0 for a parabola, up to 256 for a fourth power: flat with steep ends.
    """

    middle: Parameter = 0
    slope: Parameter = 0
    bend: Parameter = 0
    roundness: Parameter = 0

    def at(self, along: np.ndarray) -> np.ndarray:
        """Return the heights at ``along``, in 1/256 of the half width."""
        square = (along * along) >> 8
        profile = square + ((((square * square) >> 8) - square) * self.roundness >> 8)
        height: np.ndarray = self.middle + ((self.slope * along) >> 8) + ((self.bend * profile) >> 8)
        return height


def grid(
    size: int, centre_x: Parameter, centre_y: Parameter, cosine: Parameter, sine: Parameter
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates (x, y) of the pixels' middles in a frame that is moved, scaled and turned.

    Args:
        size: height and width of the images in pixels.
        centre_x, centre_y: where the frame's origin lies, in units from the image's centre.
        cosine, sine: of the turn, in 1/1024, both divided by the scale.
    """
    middles = np.arange(size, dtype=np.int32) * UNITS_PER_PIXEL - (size - 1) * (UNITS_PER_PIXEL // 2)
    x, y = middles[None, None, :] - centre_x, middles[None, :, None] - centre_y
    return (x * cosine + y * sine) >> 10, (y * cosine - x * sine) >> 10


def ellipse(x: np.ndarray, y: np.ndarray, radius_x: Parameter, radius_y: Parameter) -> np.ndarray:
    """Return the coverage of an ellipse around the origin."""
    square = _ratio(x, radius_x) ** 2 + _ratio(y, radius_y) ** 2
    # Near the edge 1 - (distance / radius)^2 is twice the depth inside it over the radius.
    return _ramp(((65536 - square) * np.minimum(radius_x, radius_y, dtype=np.int32)) >> 17)


def band(x: np.ndarray, y: np.ndarray, half_width: Parameter, top: Curve, bottom: Curve) -> np.ndarray:
    """Return the coverage of what lies between two curves, over ``half_width`` to both sides of the origin."""
    along = _ratio(x, half_width)
    ends = ((256 - np.abs(along)) * half_width) >> 8
    return _ramp(np.minimum(np.minimum(y - top.at(along), bottom.at(along) - y), ends))


def stroke(x: np.ndarray, y: np.ndarray, half_width: Parameter, curve: Curve, thickness: Parameter) -> np.ndarray:
    """Return the coverage of a line of some thickness along a curve."""
    half = thickness >> 1
    return band(
        x, y, half_width, curve._replace(middle=curve.middle - half), curve._replace(middle=curve.middle + half)
    )


def paint(canvas: np.ndarray, coverage: np.ndarray, tone: Parameter) -> None:
    """Lay a grey level over a canvas in place, as far as the coverage goes."""
    canvas += ((tone - canvas) * coverage) >> 8


def _ratio(length: np.ndarray, radius: Parameter) -> np.ndarray:
    """Return ``length / radius`` in 1/256, cut at 2 radii."""
    return np.clip((length * ((1 << 16) // radius)) >> 8, -512, 512)


def _ramp(inside: np.ndarray) -> np.ndarray:
    """Return the coverage of pixels whose middles lie so far inside an edge: half on it, full half a pixel in."""
    return np.clip(inside * (FULL // UNITS_PER_PIXEL) + FULL // 2, 0, FULL)
