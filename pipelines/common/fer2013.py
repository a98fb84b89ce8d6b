"""Reads FER2013 from the table in which Kaggle gives it: ``emotion,pixels,Usage``, one image per line.

The competition's tables, which lack columns of it, are read here too: :func:`read_table`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.common.compressed import Progress, read_pieces
from pipelines.common.dataset import CLASSES, IMAGE_SHAPE, USAGE_COLUMN, USAGES, Dataset
from pipelines.common.editions import UNKNOWN_EDITION, with_edition
from pipelines.common.pixels import PixelError, parse_pixels
from repro.errors import BadInput

_LABELS = {str(code).encode(): code for code in range(len(CLASSES))}
_USAGES = {usage.encode(): USAGES.index(usage) for usage in USAGE_COLUMN}
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
    return with_edition(read_table(read_pieces(path, progress), str(path)))


def read_table(pieces: Iterable[bytes], where: str, usage: str | None = None) -> Dataset:
    """Read such a table from its decompressed bytes.

    Args:
        pieces: the bytes, cut anywhere.
        where: what to call the table in an error.
        usage: of every row, for the competition's tables, which have no column for it; ``emotion`` may be
            missing there as well, and the rows then have no label.

    Raises:
        BadInput: as :func:`read_fer2013`.
    """
    return read_rows(_table_rows(pieces, where, usage), where)


class Row(NamedTuple):
    """One line: where it stands, for errors; its label or ``None``; its usage's code; its pixels' text."""

    where: str
    label: int | None
    usage: int
    pixels: bytes


def read_rows(rows: Iterator[Row], where: str) -> Dataset:
    """Return the data set of a table's rows; raises BadInput, with the row, where pixels are wrong or no row comes."""
    images, labels, usages, labelled = [], bytearray(), bytearray(), bytearray()
    while batch := list(islice(rows, _BATCH_ROWS)):
        try:
            images.append(parse_pixels([row.pixels for row in batch], _NUM_PIXELS))
        except PixelError as error:
            raise BadInput(f"{batch[error.index].where}: {error.message}") from None
        labels.extend(row.label or 0 for row in batch)
        labelled.extend(row.label is not None for row in batch)
        usages.extend(row.usage for row in batch)
    if not images:
        raise BadInput(f"{where}: holds a header and no row")
    return Dataset(
        images=np.concatenate(images).reshape(-1, *IMAGE_SHAPE),
        labels=np.frombuffer(labels, np.uint8),
        usages=np.frombuffer(usages, np.uint8),
        edition=UNKNOWN_EDITION,
        labelled=np.frombuffer(labelled, np.bool_),
    )


def _table_rows(pieces: Iterable[bytes], path: str, usage: str | None) -> Iterator[Row]:
    lines = read_lines(pieces, path)
    _, header = next(lines, (0, b""))
    columns = _COLUMNS if usage is None else ("pixels",)
    if not header:
        raise BadInput(f"{path} is empty; expected the columns {', '.join(columns)}")
    names = _header_names(path, header, columns)
    pixels = names.index("pixels")
    emotion = names.index("emotion") if "emotion" in names else None
    place = names.index("Usage") if usage is None else None
    code = None if usage is None else USAGES.index(usage)
    for row, (line_number, line) in enumerate(lines, start=1):
        where = f"{path}: row {row} (line {line_number})"
        fields = split_fields(where, line)
        if len(fields) != len(names):
            raise BadInput(f"{where}: expected {len(names)} fields, found {len(fields)}")
        yield Row(
            where,
            None if emotion is None else label_code(where, fields[emotion]),
            _code(where, "Usage", fields[place], _USAGES) if code is None and place is not None else code or 0,
            fields[pixels],
        )


def read_lines(pieces: Iterable[bytes], path: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, each with its number from 1; raises BadInput for an endless one."""
    number, rest = 0, b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                if len(line) > _LONGEST_LINE:
                    raise _too_long(path, number)
                yield number, line
        if len(rest) > _LONGEST_LINE:
            raise _too_long(path, number + 1)
    if rest.strip():
        yield number + 1, rest


def _too_long(path: str, number: int) -> BadInput:
    return BadInput(f"{path}: line {number} is longer than {_LONGEST_LINE} bytes: this is no FER2013 table")


def header_names(line: bytes) -> list[str]:
    """Return a header's column names without the blanks around them; none where it is no text.

    Raises:
        BadInput: its quotes are wrong.
    """
    line = line.removeprefix(_BYTE_ORDER_MARK)
    try:
        names = [field.decode("utf-8").strip() for field in split_fields("header", line)]
    except UnicodeDecodeError:
        return []
    return names if all(name.isprintable() for name in names) else []


def _header_names(path: str, line: bytes, columns: tuple[str, ...]) -> list[str]:
    try:
        names = header_names(line)
    except BadInput as error:
        raise BadInput(f"{path}: {error.message}") from None
    if not names:
        raise BadInput(f"{path} is no text: expected a table with the columns {', '.join(columns)}")
    for name in columns:
        if names.count(name) != 1:
            found = ", ".join(names)
            found = found if len(found) <= 80 else f"{found[:80]}..."
            raise BadInput(f"{path}: expected one column {name!r}, found {names.count(name)} in the header {found!r}")
    return names


def split_fields(where: str, line: bytes, separator: str = ",") -> list[bytes]:
    """Return a line's fields, the quotes taken off; raises BadInput where they are wrong."""
    if b'"' not in line:
        return line.split(separator.encode())
    try:
        # Latin-1 gives every byte back as it was; what a byte means is for each column to say.
        (fields,) = csv.reader([line.decode("latin-1")], strict=True, delimiter=separator)
    except csv.Error as error:
        raise BadInput(f"{where}: the quotes are wrong ({error})") from None
    return [field.encode("latin-1") for field in fields]


def label_code(where: str, field: bytes) -> int:
    """Return a label; raises BadInput where it is none of 0..6."""
    return _code(where, "emotion", field, _LABELS)


def _code(where: str, column: str, field: bytes, codes: dict[bytes, int]) -> int:
    code = codes.get(field.strip())
    if code is None:
        known = ", ".join(name.decode() for name in codes)
        raise BadInput(f"{where}: {column}: expected one of {known}; found {field[:20].decode('latin-1')!a}")
    return code
