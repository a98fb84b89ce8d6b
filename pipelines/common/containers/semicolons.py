"""The LHC-Net authors' tables: semicolons, a label, a column to ignore, 2,304 pixel columns, a header unread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.common.dataset import IMAGE_SHAPE, USAGES, Dataset
from pipelines.common.fer2013 import Row, label_code, read_lines, read_rows, split_fields
from repro.errors import BadInput

FILES = {"data_train": "Training", "data_val": "PublicTest", "data_test": "PrivateTest"}
"""Name of a file without its suffixes -> the usage of its rows, of which the content says nothing."""

_NUM_PIXELS = IMAGE_SHAPE[0] * IMAGE_SHAPE[1]
_NUM_FIELDS = 2 + _NUM_PIXELS
_PLAIN = b"0123456789;"


def looks_like_semicolons(lines: list[bytes]) -> bool:
    """Say whether one of a file's first lines has as many semicolons as no other table has."""
    return any(line.count(b";") > _NUM_PIXELS // 2 for line in lines)


def read_semicolons(pieces: Iterable[bytes], where: str, usage: str) -> Dataset:
    """Read one such table.

    Args:
        pieces: its decompressed bytes.
        where: what to call it in an error.
        usage: of all its rows.

    Raises:
        BadInput: a row is wrong; the first after the header is row 1.
    """
    return read_rows(_rows(pieces, where, USAGES.index(usage)), where)


def _rows(pieces: Iterable[bytes], path: str, usage: int) -> Iterator[Row]:
    lines = read_lines(pieces, path)
    if next(lines, None) is None:
        raise BadInput(f"{path} is empty; expected a header and rows of {_NUM_FIELDS} fields between semicolons")
    for row, (line_number, line) in enumerate(lines, start=1):
        where = f"{path}: row {row} (line {line_number})"
        if b'"' in line:
            line = b";".join(split_fields(where, line, ";"))
        count = line.count(b";") + 1
        if count != _NUM_FIELDS:
            raise BadInput(f"{where}: expected {_NUM_FIELDS} fields between semicolons, found {count}")
        label, _, pixels = line.split(b";", 2)
        pixels = pixels.strip()
        if pixels.translate(None, _PLAIN) or b";;" in b";%s;" % pixels:
            raise BadInput(f"{where}: {_first_wrong(pixels)}")
        yield Row(where, label_code(where, label), usage, pixels.replace(b";", b" "))


def _first_wrong(pixels: bytes) -> str:
    for place, field in enumerate(pixels.split(b";"), start=1):
        if not field.isdigit():
            found = ascii(field[:12].decode("latin-1"))
            return f"pixel {place}: expected a whole number 0..255, found {found}"
    return "a pixel is no whole number 0..255"
