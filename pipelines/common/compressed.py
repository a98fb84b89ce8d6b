"""A file's bytes, decompressed as they are read: plain, gzip or xz, known by magic bytes and not by name."""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from repro.errors import BadInput, MissingFile

Progress = Callable[[int, int], None]
"""Told how many bytes of the file are read and how many it has, both as they lie on the disk."""

_PIECE_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"


def read_pieces(path: Path, progress: Progress | None = None) -> Iterator[bytes]:
    """Yield a file's decompressed bytes in pieces of 1 MiB.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is a directory, cannot be read, or its compressed data are cut off or corrupt.
    """
    with _open(path) as file:
        size = os.fstat(file.fileno()).st_size
        stream = _decompressed(file)
        while piece := _read(stream, path):
            if progress is not None:
                progress(file.tell(), size)
            yield piece


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        next_step = "check the path; where none is given, the drawn faces are used"
        raise MissingFile(f"no such file: {path}", next_step=next_step) from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a directory; expected a file") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be opened ({error.strerror})") from None


def _decompressed(file: BinaryIO) -> BinaryIO:
    magic = file.read(len(_XZ_MAGIC))
    file.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if magic == _XZ_MAGIC:
        return cast(BinaryIO, lzma.LZMAFile(file))
    return file


def _read(stream: BinaryIO, path: Path) -> bytes:
    anew = "get the file anew and compare its size and digest with its publisher's"
    try:
        return stream.read(_PIECE_BYTES)
    except EOFError:
        raise BadInput(f"{path}: the compressed data are cut off", next_step=anew) from None
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise BadInput(f"{path}: the compressed data are corrupt ({error})", next_step=anew) from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
