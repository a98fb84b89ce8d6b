"""A file's bytes, decompressed as they are read: plain, gzip or xz, known by magic bytes and not by name."""

from __future__ import annotations

import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from repro.errors import BadInput, MissingFile

Progress = Callable[[int, int], None]
"""Told how many bytes of the file are read and how many it has, both as they lie on the disk."""

PIECE_BYTES = 1 << 20
ANEW = "get the file anew and compare its size and digest with its publisher's"

# A bomb is what unpacks to more than this and, beyond the free part, to more than the ratio. FER2013 packs 4 to 1.
MOST_BYTES = 4 << 30
MOST_RATIO = 100
FREE_BYTES = 64 << 20

_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_CORRUPT = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


def read_pieces(path: Path, progress: Progress | None = None) -> Iterator[bytes]:
    """Yield a file's decompressed bytes in pieces of 1 MiB.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is a directory, cannot be read, is a bomb, or its compressed data are cut off or corrupt.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        yield from Decompressed(file, str(path)).pieces(progress, size)


def open_file(path: Path) -> BinaryIO:
    """Open a file for reading; raises as :func:`read_pieces`."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        next_step = "check the path; where none is given, the drawn faces are used"
        raise MissingFile(f"no such file: {path}", next_step=next_step) from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a directory; expected a file") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be opened ({error.strerror})") from None


class Decompressed:
    """The decompressed bytes of a stream, with every way in which reading can fail told as ``BadInput``.

    Args:
        file: a stream with ``peek``, at its start.
        where: what to call it in an error.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file, self._where, self._done = file, where, 0
        magic = self._told(lambda: file.peek(len(_XZ_MAGIC)))[: len(_XZ_MAGIC)]  # type: ignore[attr-defined]
        self._packed = True
        if magic.startswith(_GZIP_MAGIC):
            self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=file))
        elif magic == _XZ_MAGIC:
            self._stream = cast(BinaryIO, lzma.LZMAFile(file))  # noqa: SIM115  # the file's owner closes it
        else:
            self._stream, self._packed = file, False

    def read(self, size: int) -> bytes:
        """Return at most that many bytes, none at the end."""
        piece = self._told(lambda: self._stream.read(size))
        self._done += len(piece)
        if self._packed:
            refuse_bomb(self._where, self._file.tell(), self._done)
        return piece

    def pieces(self, progress: Progress | None = None, size: int = 0) -> Iterator[bytes]:
        """Yield what is left in pieces of 1 MiB."""
        while piece := self.read(PIECE_BYTES):
            if progress is not None:
                progress(self._file.tell(), size)
            yield piece

    def _told(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except EOFError:
            raise BadInput(f"{self._where}: the compressed data are cut off", next_step=ANEW) from None
        except _CORRUPT as error:
            raise BadInput(f"{self._where}: the compressed data are corrupt ({error})", next_step=ANEW) from None
        except (NotImplementedError, RuntimeError) as error:  # zip: an unknown method, a password
            raise BadInput(f"{self._where}: cannot be unpacked ({error})") from None
        except OSError as error:
            raise BadInput(f"{self._where}: cannot be read ({error.strerror or error})") from None


def refuse_bomb(where: str, packed: int, unpacked: int) -> None:
    """Raise ``BadInput`` where so many packed bytes give more than any data set does.

    Args:
        where: what to call it in the error.
        packed, unpacked: bytes, as counted so far or as an archive declares them.
    """
    if unpacked > MOST_BYTES or (unpacked > FREE_BYTES and unpacked > MOST_RATIO * packed):
        raise BadInput(
            f"{where}: {packed} bytes unpack to {unpacked} and more; at most {MOST_BYTES} bytes are read, and beyond "
            f"{FREE_BYTES} at most {MOST_RATIO} times the packed size",
            next_step="if it is sound, unpack it and give the file itself",
        )
