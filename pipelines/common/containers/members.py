"""The files of a container: one file, a folder's, or those inside a .zip or .tar, read one after the other.

Nothing is unpacked to disk. Names that lead out of an archive, links and devices are refused all the same: an
archive that holds them is not what a publisher of data makes.
"""

from __future__ import annotations

import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pipelines.common.compressed import ANEW, Decompressed, open_file, refuse_bomb
from repro.errors import BadInput, ReproError

MOST_MEMBERS = 200_000

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_END = b"PK\x05\x06"
_ZIP_TAIL = (1 << 16) + 22  # the end record with the longest comment
_BLOCK = tarfile.BLOCKSIZE
# What the standard library raises for damaged archives, beside what reading their bytes can raise.
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, struct.error, ValueError, OverflowError, EOFError, OSError)


@dataclass(frozen=True)
class Member:
    """One file of a container.

    Attributes:
        name: relative, with forward slashes.
        where: what to call it in an error.
        size: in bytes, as it lies there, not decompressed further.
        open: gives its bytes, from the start; to be called before the next member is asked for.
    """

    name: str
    where: str
    size: int
    open: Callable[[], BinaryIO]

    def read(self, most: int) -> bytes:
        """Return its bytes, decompressed no further.

        Raises:
            BadInput: it cannot be read, or has more than ``most`` bytes.
        """
        with self.open() as file:
            data = _all(_Told(file, self.where), most + 1)
        if len(data) > most:
            raise BadInput(f"{self.where}: longer than {most} bytes; no image of FER2013 is")
        return data

    def head(self, most: int) -> bytes:
        """Return its first bytes, decompressed."""
        with self.open() as file:
            return _all(Decompressed(file, self.where), most)


class _Told(Decompressed):
    """A stream as it is, with the errors told."""

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file, self._stream, self._where = file, file, where
        self._done, self._packed = 0, False


def _all(stream: Decompressed, most: int) -> bytes:
    parts, left = [], most
    while left and (piece := stream.read(left)):
        parts.append(piece)
        left -= len(piece)
    return b"".join(parts)


def walk(path: Path) -> Iterator[Member]:
    """Yield a container's files: a folder's and a zip's sorted by name, a tar's as they lie in it.

    Files that systems leave behind (a name that begins with a dot, ``__MACOSX``, ``Thumbs.db``) are left out.

    Raises:
        MissingFile: there is no such path.
        BadInput: it cannot be read, an archive is damaged, a bomb or leads out of itself, or there are more
            than ``MOST_MEMBERS`` files or two of one name.
    """
    seen = set()
    for member in _members(path):
        if member.name in seen:
            raise BadInput(f"{path} holds {member.name} twice")
        seen.add(member.name)
        if len(seen) > MOST_MEMBERS:
            raise BadInput(f"{path} holds more than {MOST_MEMBERS} files: this is no edition of FER2013")
        parts = member.name.split("/")
        if not any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db", "desktop.ini") for part in parts):
            yield member


def _members(path: Path) -> Iterator[Member]:
    if path.is_dir():
        yield from _folder(path)
        return
    with open_file(path) as file:
        magic = file.read(4)
        file.seek(0)
        if magic in _ZIP_MAGIC:
            yield from _zip(path, file)
            return
        head = _all(Decompressed(file, str(path)), _BLOCK)
        size = os.fstat(file.fileno()).st_size
        if _is_tar(head):
            file.seek(0)
            yield from _tar(path, file)
            return
    yield Member(path.name, str(path), size, lambda: open_file(path))


def _folder(path: Path) -> Iterator[Member]:
    names = []

    def refuse(error: OSError) -> None:
        raise BadInput(f"{error.filename}: cannot be read ({error.strerror})") from None

    for folder, folders, files in os.walk(path, onerror=refuse):
        for name in folders:
            if (Path(folder) / name).is_symlink():
                raise BadInput(f"{Path(folder) / name} is a link to a folder", next_step="give the folder itself")
        names += [(Path(folder) / name).relative_to(path).as_posix() for name in files]
        if len(names) > MOST_MEMBERS:
            raise BadInput(f"{path} holds more than {MOST_MEMBERS} files: this is no edition of FER2013")
    for name in sorted(names):
        file = path / name
        if not file.is_file():
            raise BadInput(f"{file} is no file, but a device or a link to nowhere")
        yield Member(name, str(file), file.stat().st_size, lambda file=file: open_file(file))  # type: ignore[misc]


def _zip(path: Path, file: BinaryIO) -> Iterator[Member]:
    with _told(path), zipfile.ZipFile(file) as archive:
        size = os.fstat(file.fileno()).st_size
        _check_count(path, file, size, len(archive.infolist()))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        refuse_bomb(str(path), size, sum(entry.file_size for entry in entries))
        for entry in sorted(entries, key=lambda one: one.filename):
            where = f"{path}: {entry.filename!a}"
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                raise BadInput(f"{where} is a link or a device; expected files only")
            refuse_bomb(where, entry.compress_size, entry.file_size)
            name = _inner_name(path, entry.filename)
            yield Member(name, f"{path}: {name}", entry.file_size, lambda entry=entry: _opened(path, archive, entry))  # type: ignore[misc]


def _check_count(path: Path, file: BinaryIO, size: int, found: int) -> None:
    """Raise ``BadInput`` where a zip's directory lacks entries that its end counts: it is under no checksum."""
    file.seek(max(0, size - _ZIP_TAIL))
    tail = file.read()
    count = int.from_bytes(tail[(at := tail.rfind(_ZIP_END) + 10) : at + 2], "little")
    if count not in (found, 0xFFFF):  # 0xFFFF: more than the field can say
        raise BadInput(f"{path}: the archive is damaged (it counts {count} files, {found} are found)", next_step=ANEW)


def _opened(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    with _told(path):
        return cast(BinaryIO, archive.open(entry))


def _tar(path: Path, file: BinaryIO) -> Iterator[Member]:
    stream = Decompressed(file, str(path))
    with _told(path):
        # "r|" never seeks: the bytes pass by once, however large the archive is.
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r|", errorlevel=2) as archive:
            for entry in iter(archive.next, None):
                archive.members.clear()  # type: ignore[attr-defined]  # or every header is kept
                name = _inner_name(path, entry.name)
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    raise BadInput(f"{path}: {name} is a link, a device or sparse; expected files only")
                yield Member(name, f"{path}: {name}", entry.size, lambda entry=entry: _extracted(archive, entry))  # type: ignore[misc]
        for _ in stream.pieces():  # the checksum of gzip and xz stands at the end
            continue


def _extracted(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> BinaryIO:
    extracted = archive.extractfile(entry)
    if extracted is None:
        raise BadInput(f"{entry.name}: holds no bytes")
    return cast(BinaryIO, extracted)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except ReproError:
        raise
    except RuntimeError as error:  # a method that is unknown, a password that is missing
        raise BadInput(f"{path}: the archive cannot be unpacked ({error})") from None
    except _DAMAGED as error:
        raise BadInput(f"{path}: the archive is damaged ({error})", next_step=ANEW) from None


def _is_tar(head: bytes) -> bool:
    if len(head) < _BLOCK:
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


def _inner_name(path: Path, name: str) -> str:
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    if plain.startswith("/") or ".." in parts or (plain[1:2] == ":" and plain[0].isalpha()):
        raise BadInput(f"{path} holds {name!a}, which leads out of the archive")
    if not plain.isprintable() or not (parts or plain in (".", "./", "")):
        raise BadInput(f"{path} holds a file without a readable name: {name[:40]!a}")
    return "/".join(parts)
