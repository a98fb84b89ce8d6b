"""Reads FER2013 from the table in which Kaggle gives it: ``emotion,pixels,Usage``, one image per line.

Another container is another way to the same three columns: lines of another file, or other column names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.common.compressed import Progress, read_pieces
from pipelines.common.dataset import CLASSES, IMAGE_SHAPE, USAGES, Dataset
from pipelines.common.pixels import PixelError, parse_pixels
from repro.errors import BadInput

UNKNOWN_EDITION = "an edition of FER2013 that this harness does not know"

# Content digest -> edition. For the file PATH it is printed by
#   python -c "import pathlib, pipelines.common.fer2013 as f; \
#              print(f.read_fer2013(pathlib.Path('PATH')).content_digest())"
EDITIONS = {
    "95624f4addc60e7920792920fb2c227591ae83dd2c9999718bb71e58018bac78": (
        "FER2013 decoded from a JPEG edition, with the first 700 images of PrivateTest"
    ),
}

_LABELS = {str(code).encode(): code for code in range(len(CLASSES))}
_USAGES = {usage.encode(): code for code, usage in enumerate(USAGES)}
_COLUMNS = ("emotion", "pixels", "Usage")
_NUM_PIXELS = IMAGE_SHAPE[0] * IMAGE_SHAPE[1]
_LONGEST_LINE = 1 << 16  # seven times a row of FER2013: what is longer is no such table
_BATCH_ROWS = 32  # about 0.3 MB of text: its intermediate arrays stay in a core's cache
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_fer2013(path: Path, progress: Progress | None = None) -> Dataset:
    """Read FER2013's ``emotion,pixels,Usage``, plain, gzip or xz.

    Columns are found by name, others are ignored; a byte order mark, CRLF, quoted fields and blank lines
    read as in any CSV.

    Args:
        path: the file.
        progress: told the bytes read and the size of the file, as it lies on the disk.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is no such table; the message gives the row, the first after the header being row 1.
    """
    rows = _read_rows(path, progress)
    images, labels, usages = [], bytearray(), bytearray()
    while batch := list(islice(rows, _BATCH_ROWS)):
        try:
            images.append(parse_pixels([row.pixels for row in batch], _NUM_PIXELS))
        except PixelError as error:
            raise BadInput(f"{batch[error.index].where}: {error.message}") from None
        labels.extend(row.label for row in batch)
        usages.extend(row.usage for row in batch)
    if not images:
        raise BadInput(f"{path}: holds a header and no row")
    dataset = Dataset(
        images=np.concatenate(images).reshape(-1, *IMAGE_SHAPE),
        labels=np.frombuffer(labels, np.uint8),
        usages=np.frombuffer(usages, np.uint8),
        edition=UNKNOWN_EDITION,
    )
    return replace(dataset, edition=EDITIONS.get(dataset.content_digest(), UNKNOWN_EDITION))


class _Row(NamedTuple):
    where: str
    label: int
    usage: int
    pixels: bytes


def _read_rows(path: Path, progress: Progress | None) -> Iterator[_Row]:
    lines = _read_lines(path, progress)
    _, header = next(lines, (0, b""))
    if not header:
        raise BadInput(f"{path} is empty; expected the columns {', '.join(_COLUMNS)}")
    names = _header_names(path, header)
    emotion, pixels, usage = (names.index(name) for name in _COLUMNS)
    for row, (line_number, line) in enumerate(lines, start=1):
        where = f"{path}: row {row} (line {line_number})"
        fields = _fields(where, line)
        if len(fields) != len(names):
            raise BadInput(f"{where}: expected {len(names)} fields, found {len(fields)}")
        yield _Row(
            where,
            _code(where, "emotion", fields[emotion], _LABELS),
            _code(where, "Usage", fields[usage], _USAGES),
            fields[pixels],
        )


def _read_lines(path: Path, progress: Progress | None) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, each with its number from 1."""
    number, rest = 0, b""
    for piece in read_pieces(path, progress):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield number, line
        if len(rest) > _LONGEST_LINE:
            raise BadInput(f"{path}: line {number + 1} is longer than {_LONGEST_LINE} bytes: this is no FER2013 table")
    if rest.strip():
        yield number + 1, rest


def _header_names(path: Path, line: bytes) -> list[str]:
    line = line.removeprefix(_BYTE_ORDER_MARK)
    try:
        names = [field.decode("utf-8").strip() for field in _fields(f"{path}: header", line)]
    except UnicodeDecodeError:
        names = []
    if not all(name.isprintable() for name in names) or not names:
        raise BadInput(f"{path} is no text: expected a table with the columns {', '.join(_COLUMNS)}")
    for name in _COLUMNS:
        if names.count(name) != 1:
            found = ", ".join(names)
            found = found if len(found) <= 80 else f"{found[:80]}..."
            raise BadInput(f"{path}: expected one column {name!r}, found {names.count(name)} in the header {found!r}")
    return names


def _fields(where: str, line: bytes) -> list[bytes]:
    if b'"' not in line:
        return line.split(b",")
    try:
        # Latin-1 gives every byte back as it was; what a byte means is for each column to say.
        (fields,) = csv.reader([line.decode("latin-1")], strict=True)
    except csv.Error as error:
        raise BadInput(f"{where}: the quotes are wrong ({error})") from None
    return [field.encode("latin-1") for field in fields]


def _code(where: str, column: str, field: bytes, codes: dict[bytes, int]) -> int:
    code = codes.get(field.strip())
    if code is None:
        known = ", ".join(name.decode() for name in codes)
        raise BadInput(f"{where}: {column}: expected one of {known}; found {field[:20].decode('latin-1')!a}")
    return code
