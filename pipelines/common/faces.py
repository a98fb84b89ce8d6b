"""The embedded data set: drawn faces in the shape of FER2013, the same bytes on every machine.

Every face follows from a seed, its usage and its index alone, through SHAKE-256 and whole numbers. Brows, eyes
and mouth bear the expression; place, size, tilt, hair, light, glasses and beard do not. No photograph is in it.
"""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np

from pipelines.common.dataset import CLASSES, IMAGE_SHAPE, USAGES, Dataset
from pipelines.common.raster import Curve, band, ellipse, grid, paint, stroke

_SIZE = IMAGE_SHAPE[0]
_NUM_DRAWS = 64
_BATCH = 24  # faces drawn at a time: their arrays stay in a core's cache

# How often each class occurs among 256 faces, near its share in FER2013.
_CLASS_WEIGHTS = (36, 14, 36, 58, 42, 30, 40)

# What each class does to a face, in the order of CLASSES: lengths in 1/64 pixel, down positive; shares in 1/256.
_EXPRESSIONS = {
    #               Angry Disgust Fear Happy Sad Surprise Neutral
    "brow_inner": (170, 110, -190, -30, -190, -210, 0),
    "brow_outer": (-50, 20, -40, -10, 110, -210, 0),
    "brow_arch": (0, 10, 30, 60, 20, 110, 40),
    "lid_upper": (60, 42, 150, 70, 56, 165, 92),
    "lid_lower": (60, 40, 110, 12, 66, 120, 66),
    "lid_slant": (-40, -20, 30, 0, 45, 0, 0),
    "mouth_width": (360, 340, 420, 540, 330, 220, 370),
    "mouth_corner": (90, 190, 60, -220, 170, 20, 0),
    "mouth_open": (60, 50, 130, 130, 0, 300, 0),
    "mouth_round": (256, 60, 256, 0, 0, 256, 0),
    "mouth_lift": (0, -60, 20, -20, 20, 60, 0),
    "furrow": (256, 200, 60, 0, 60, 0, 0),
    "wrinkle": (40, 256, 0, 0, 0, 0, 0),
    "fold": (70, 230, 20, 220, 60, 0, 30),
    "teeth": (200, 120, 140, 256, 0, 0, 0),
}

# How far single faces differ from their class, to both sides.
_SPREAD = {
    "brow_inner": 30,
    "brow_outer": 30,
    "lid_upper": 14,
    "lid_lower": 12,
    "mouth_width": 45,
    "mouth_corner": 30,
}


def drawn_faces(seed: int = 0, counts: tuple[int, int, int] = (700, 140, 140)) -> Dataset:
    """Draw a data set in the shape of FER2013.

    The first seven faces of each usage are one of each class; a larger set begins with a smaller one.

    Args:
        seed: another seed gives other faces.
        counts: how many faces for Training, PublicTest and PrivateTest.
    """
    indices = [index for count in counts for index in range(count)]
    usages = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    keys = [f"{seed}/{USAGES[usage]}/{index}" for usage, index in zip(usages, indices, strict=True)]
    images = np.empty((len(keys), *IMAGE_SHAPE), np.uint8)
    labels = np.empty(len(keys), np.uint8)
    for start in range(0, len(keys), _BATCH):
        part = slice(start, start + _BATCH)
        draws = _Draws(keys[part])
        labels[part] = _labels(draws, indices[part])
        images[part] = _draw(draws, labels[part])
    return Dataset(images, labels, usages, edition=f"the drawn faces of seed {seed}")


@functools.cache
def embedded() -> Dataset:
    """Return the data set that comes with the harness: :func:`drawn_faces` with its defaults."""
    return drawn_faces()


class _Draws:
    """The random numbers of some faces: 16 bits for each question asked, then a byte of noise per pixel."""

    def __init__(self, keys: list[str]) -> None:
        num_bytes = 2 * _NUM_DRAWS + _SIZE * _SIZE
        streams = b"".join(hashlib.shake_256(key.encode()).digest(num_bytes) for key in keys)
        table = np.frombuffer(streams, np.uint8).reshape(len(keys), num_bytes)
        self._words = np.ascontiguousarray(table[:, : 2 * _NUM_DRAWS]).view("<u2").astype(np.int32)
        self._next = 0
        self.noise = table[:, 2 * _NUM_DRAWS :].reshape(-1, _SIZE, _SIZE).astype(np.int32) - 128

    def between(self, low: int, high: int) -> np.ndarray:
        """Return a number low..high for each face, int32 (n, 1, 1)."""
        word = self._words[:, self._next, None, None]
        self._next += 1
        return low + ((word * (high - low + 1)) >> 16)

    def chance(self, share: int) -> np.ndarray:
        """Return 1 for ``share`` of 256 faces and 0 for the others, int32 (n, 1, 1)."""
        return (self.between(0, 255) < share).astype(np.int32)


def _labels(draws: _Draws, indices: list[int]) -> np.ndarray:
    drawn = np.searchsorted(np.cumsum(_CLASS_WEIGHTS), draws.between(0, 255).ravel(), side="right")
    index = np.asarray(indices)
    return np.where(index < len(CLASSES), index, drawn).astype(np.uint8)


def _expressions(draws: _Draws, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return each face's own measures: its class's, weakened towards Neutral, and a little off."""
    strength = draws.between(140, 256)
    shape = {}
    for name, values in _EXPRESSIONS.items():
        neutral = values[CLASSES.index("Neutral")]
        typical = np.array(values, np.int32)[labels][:, None, None]
        shape[name] = neutral + (((typical - neutral) * strength) >> 8)
    for name, most in _SPREAD.items():
        shape[name] += draws.between(-most, most)
    shape["mouth_open"] = (shape["mouth_open"] * draws.between(150, 290)) >> 8
    return shape


@dataclass(frozen=True)
class _Face:
    """Some faces while they are drawn: int32, (n, rows, 48) or (n, 1, 1).

    Attributes:
        canvas: what is drawn so far.
        x, y: coordinates from the face's middle, right and down.
        skin: grey level of the skin with the light on it.
        line, hair: grey levels.
        shape: measures by name, as in ``_EXPRESSIONS``.
        draws: where everything else comes from.
    """

    canvas: np.ndarray
    x: np.ndarray
    y: np.ndarray
    skin: np.ndarray
    line: np.ndarray
    hair: np.ndarray
    shape: dict[str, np.ndarray]
    draws: _Draws

    def rows(self, first: int, end: int) -> _Face:
        """Return these rows of the pixels alone: a feature is drawn faster where only it can be."""
        cut = {name: getattr(self, name)[:, first:end] for name in ("canvas", "x", "y", "skin")}
        return replace(self, **cut)


def _draw(draws: _Draws, labels: np.ndarray) -> np.ndarray:
    """Return the faces, uint8 (n, 48, 48)."""
    between = draws.between
    shape = _expressions(draws, labels)
    sine, zoom = between(-110, 110), between(980, 1160)  # both in 1/1024
    cosine = np.array([math.isqrt((1 << 20) - int(s) ** 2) for s in sine.ravel()], np.int32).reshape(sine.shape)
    x, y = grid(_SIZE, between(-90, 90), between(-70, 70), (cosine << 10) // zoom, (sine << 10) // zoom)
    canvas = between(20, 235) + ((x * between(-36, 36) + y * between(-36, 36)) >> 11)
    skin = between(110, 215)
    line = (skin * between(70, 115)) >> 8
    skin = skin + ((x * between(-26, 26) + y * between(-14, 6)) >> 10)
    hair = between(15, 100) + draws.chance(40) * between(20, 70)

    face = _Face(canvas, x, y, skin, line, hair, shape, draws)
    _head(face)
    face = replace(face, x=x - between(-110, 110))  # the head is turned: its features leave the middle
    _nose(face.rows(14, 37))
    _eyes(face.rows(12, 30))
    _brows(face.rows(3, 28))
    _mouth(face.rows(20, 48))
    _glasses(face.rows(11, 32))
    canvas += (draws.noise * between(3, 12)) >> 7
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _head(face: _Face) -> None:
    canvas, x, y, hair = face.canvas, face.x, face.y, face.hair
    between, chance = face.draws.between, face.draws.chance
    width, height, volume = between(960, 1110), between(1270, 1400), between(90, 260)
    long_hair, has_hair = chance(110), 1 - chance(20)
    paint(canvas, ellipse(x, y - 1950, between(1300, 1700), 520), between(20, 230))  # the shoulders
    scalp = ellipse(x, y + 100 - 330 * long_hair, width + volume, height + volume + 200 * long_hair) * has_hair
    paint(canvas, scalp, hair)
    paint(canvas, band(x, y - 1400, 480, Curve(-500), Curve(500)), face.skin - 40)  # the neck
    for side in (-1, 1):
        ear = ellipse(x - side * (width + 10), y - 20, 150, 260)
        paint(canvas, ear * (1 - long_hair), face.skin - 24)
    paint(canvas, ellipse(x, y - 60, width, height), face.skin)
    hairline = Curve(between(-1000, -760), slope=between(-160, 160), bend=between(150, 800))
    paint(canvas, np.minimum(band(x, y, width + 300, Curve(-2000), hairline), scalp), hair)


def _brows(face: _Face) -> None:
    canvas, x, tone = face.canvas, face.x, np.minimum(face.hair, face.line)
    y = face.y - face.draws.between(-470, -410)
    thickness = face.draws.between(70, 120)
    inner, outer, arch = (face.shape[name] for name in ("brow_inner", "brow_outer", "brow_arch"))
    curve = Curve((inner + outer - arch) >> 1, slope=(outer - inner) >> 1, bend=arch)
    for side in (-1, 1):
        paint(canvas, stroke((x - side * 440) * side, y, 290, curve, thickness), tone)
        furrow = stroke(y - 120, x - side * 70, 130, Curve(), 50)
        paint(canvas, (furrow * face.shape["furrow"]) >> 9, tone)


def _eyes(face: _Face) -> None:
    canvas, x, y, line = face.canvas, face.x, face.y + 170, face.line
    between = face.draws.between
    gaze_x, gaze_y, iris = between(-60, 60), between(-25, 25), between(15, 80)
    spacing, width = between(410, 460), between(200, 240)
    upper, lower, slant = (face.shape[name] for name in ("lid_upper", "lid_lower", "lid_slant"))
    upper_lid = Curve(-upper, slope=slant, bend=upper)
    lower_lid = Curve(lower, slope=slant >> 1, bend=-lower)
    for side in (-1, 1):
        outward = (x - side * spacing) * side
        paint(canvas, ellipse(outward, y, width + 90, 210) >> 2, line)  # the socket
        opening = band(outward, y, width, upper_lid, lower_lid)
        paint(canvas, opening, face.skin + 50)
        paint(canvas, (opening * ellipse(x - side * spacing - gaze_x, y - gaze_y, 105, 105)) >> 8, iris)
        paint(canvas, stroke(outward, y, width + 20, upper_lid, 62), line >> 1)
        paint(canvas, stroke(outward, y, width, lower_lid, 40) >> 1, line)


def _nose(face: _Face) -> None:
    canvas, x, y, line = face.canvas, face.x, face.y, face.line
    paint(canvas, ellipse(x, y - 60, 70, 300) >> 2, face.skin + 60)  # light on its back
    paint(canvas, stroke(x, y - 290, 170, Curve(30, bend=-60), 70) >> 1, line)
    for side in (-1, 1):
        paint(canvas, ellipse(x - side * 95, y - 285, 55, 35), line)
        wrinkle = stroke((x - side * 120) * side, y + 60, 110, Curve(slope=-60), 45)
        paint(canvas, (wrinkle * face.shape["wrinkle"]) >> 8, line)


def _mouth(face: _Face) -> None:
    canvas, x, line, hair, shape = face.canvas, face.x, face.line, face.hair, face.shape
    between, chance = face.draws.between, face.draws.chance
    width, corner, gap, roundness = (shape[f"mouth_{name}"] for name in ("width", "corner", "open", "round"))
    y = face.y - between(660, 720) - shape["mouth_lift"]
    beard, moustache, lip = chance(26), chance(30), between(60, 110)
    paint(canvas, (ellipse(x, y - 200, 720, 520) * beard * 150) >> 8, hair)
    for side in (-1, 1):  # from the nose to the corners of the mouth
        fold = stroke(y + 190, (x - side * 480) * side, 260, Curve(slope=110, bend=-40), 60)
        paint(canvas, (fold * shape["fold"]) >> 9, line)
    y = y + (corner >> 1)
    upper, lower = gap + lip, gap + lip + 20
    lips = band(x, y, width + 40, Curve(-upper, bend=corner + upper), Curve(lower, bend=corner - lower))
    paint(canvas, lips >> 1, line)
    top = Curve(-gap, bend=corner + gap, roundness=roundness)
    opening = band(x, y, width, top, Curve(gap, bend=corner - gap, roundness=roundness))
    paint(canvas, opening, line >> 2)
    teeth = np.minimum(opening, band(x, y, width - 30, top, top._replace(middle=(gap >> 1) - 10)))
    paint(canvas, (teeth * shape["teeth"]) >> 8, 235)
    closed = stroke(x, y, width, Curve(bend=corner), 64) * (gap < 30)
    paint(canvas, closed, line >> 1)
    paint(canvas, moustache * stroke(x, y + gap + 200, 380, Curve(bend=90), 150), hair)


def _glasses(face: _Face) -> None:
    canvas, x, y = face.canvas, face.x, face.y + 165
    wears = face.draws.chance(28)
    for side in (-1, 1):
        rim = ellipse(x - side * 440, y, 360, 300) - ellipse(x - side * 440, y, 300, 240)
        paint(canvas, rim * wears, 40)
    paint(canvas, stroke(x, y + 25, 130, Curve(bend=20), 60) * wears, 40)
