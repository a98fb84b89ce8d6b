"""A folder per split and class: ``train/happy/1.png``. The original order is lost; the rows get one of their own."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pipelines.common.compressed import Progress
from pipelines.common.containers.members import Member
from pipelines.common.dataset import CLASSES, IMAGE_SHAPE, USAGES, Dataset
from pipelines.common.editions import UNKNOWN_EDITION
from repro.errors import BadInput

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"

_SPLITS = {
    "train": "Training",
    "training": "Training",
    "validation": "PublicTest",
    "valid": "PublicTest",
    "val": "PublicTest",
    "publictest": "PublicTest",
    "privatetest": "PrivateTest",
    "test": "Test",  # PrivateTest where there is a validation folder beside it
}
_ALIASES = {
    "anger": "Angry",
    "disgusted": "Disgust",
    "fearful": "Fear",
    "happiness": "Happy",
    "sadness": "Sad",
    "surprised": "Surprise",
}
_LABELS = {
    **{name.lower(): code for code, name in enumerate(CLASSES)},
    **{str(code): code for code in range(len(CLASSES))},
    **{alias: CLASSES.index(name) for alias, name in _ALIASES.items()},
}
_MOST_BYTES = 1 << 20  # of one file; a FER2013 image has some 2,000


@dataclass(frozen=True)
class Place:
    """Where a member stands in a tree: folders above, split, class and file name."""

    root: str
    usage: str
    label: int
    name: str


def place_of(name: str) -> Place | None:
    """Return where such a member stands, or ``None`` where its folders are no split and class."""
    *above, split, category, file = ["", "", *name.split("/")]
    usage, label = _SPLITS.get(split.lower()), _LABELS.get(category.lower())
    if usage is None or label is None:
        return None
    return Place("/".join(part for part in above if part), usage, label, file)


def is_image(head: bytes) -> bool:
    """Say whether a file begins as PNG or JPEG do."""
    return head.startswith((PNG_MAGIC, JPEG_MAGIC))


def read_tree(members: Iterable[Member], root: str, progress: Progress | None = None, total: int = 0) -> Dataset:
    """Read the images of a tree.

    Inside a split the rows are ordered by class, then by file name with the numbers in it compared as numbers,
    then by the whole name.

    Args:
        members: of a container; those that stand outside of the tree are left out.
        root: the folders above the splits.
        progress: told the bytes read and ``total``.

    Raises:
        BadInput: a file is no grey 48×48 image.
    """
    found: list[tuple[Place, str, bytes]] = []
    done = 0
    for member in members:
        place = place_of(member.name)
        if place is None or place.root != root:
            continue
        found.append((place, member.name, decode(member).tobytes()))
        done += member.size
        if progress is not None:
            progress(done, total)
    has_validation = any(place.usage == "PublicTest" for place, _, _ in found)

    def usage_code(place: Place) -> int:
        return USAGES.index("PrivateTest" if place.usage == "Test" and has_validation else place.usage)

    found.sort(key=lambda one: (usage_code(one[0]), one[0].label, _natural(one[0].name), one[1]))
    images = np.empty((len(found), *IMAGE_SHAPE), np.uint8)
    for row, (_, _, pixels) in enumerate(found):
        images[row] = np.frombuffer(pixels, np.uint8).reshape(IMAGE_SHAPE)
    return Dataset(
        images=images,
        labels=np.array([place.label for place, _, _ in found], np.uint8),
        usages=np.array([usage_code(place) for place, _, _ in found], np.uint8),
        edition=UNKNOWN_EDITION,
    )


def decode(member: Member) -> np.ndarray:
    """Return a PNG's or JPEG's grey levels, uint8 (48, 48).

    A PNG's checksums are verified, so no damage can change a pixel unseen. A JPEG has none.

    Raises:
        BadInput: it is neither, is damaged, has another size, or colours.
    """
    data, where = member.read(_MOST_BYTES), member.where
    if not is_image(data):
        raise BadInput(f"{where} is neither PNG nor JPEG")
    if data.startswith(PNG_MAGIC):
        _check_png(data, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                size, mode = image.size, image.mode
                height, width = IMAGE_SHAPE
                if size == (width, height) and mode in ("L", "RGB"):
                    pixels = np.asarray(image)
    except Exception as error:  # Pillow lets through whatever a damaged file brings its decoders to raise
        raise BadInput(f"{where}: the image is damaged ({type(error).__name__}: {error})") from None
    if size != (width, height):
        raise BadInput(f"{where}: expected {width}×{height} pixels, found {size[0]}×{size[1]}")
    if mode not in ("L", "RGB"):
        raise BadInput(f"{where}: expected an image of 8-bit grey or RGB, found mode {mode}")
    if pixels.ndim == 3:
        if (pixels != pixels[..., :1]).any():
            raise BadInput(f"{where}: its channels differ; expected grey levels")
        pixels = pixels[..., 0]
    return pixels


def _check_png(data: bytes, where: str) -> None:
    offset, name = len(PNG_MAGIC), b""
    while name != b"IEND":
        if offset + 12 > len(data):
            raise BadInput(f"{where}: the image is cut off")
        length, name = struct.unpack_from(">I4s", data, offset)
        body = data[offset + 4 : offset + 8 + length]
        checksum = data[offset + 8 + length : offset + 12 + length]
        if checksum != zlib.crc32(body).to_bytes(4, "big"):
            raise BadInput(f"{where}: the image is damaged (checksum at byte {offset})")
        offset += 12 + length


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which Images2 comes before Images10."""
    parts = re.split(r"([0-9]{1,18})", name)
    return [(int(part), "") if place % 2 else (-1, part) for place, part in enumerate(parts)]
