"""Takes one member out of an archive: zip (wheels, too) or tar, plain or compressed."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path
from typing import IO

from repro.errors import Unavailable
from repro.fetch.http import cannot_write

_PIECE = 1 << 20


def extract(archive: Path, member: str, target: Path, url: str) -> None:
    """Write one regular file of an archive to ``target``.

    Args:
        archive: the archive on disk.
        member: the file's whole path inside, or its end after a slash if only one file ends so.
        target: where to; nothing else is written, whatever the archive holds.
        url: where the archive is from, for errors.

    Raises:
        Unavailable: it is no archive, damaged, or has no such member, or several.
        PrerequisiteError: the disk is full.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                files = [one.filename for one in opened.infolist() if not one.is_dir()]
                with opened.open(_only(files, member, url)) as source:
                    _copy(source, target)
            return
        with tarfile.open(archive) as tar:
            found = _only([one.name for one in tar.getmembers() if one.isfile()], member, url)
            stream = tar.extractfile(found)
            assert stream is not None  # a regular file has content
            with stream:
                _copy(stream, target)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, LZMAError, NotImplementedError) as error:
        target.unlink(missing_ok=True)
        raise Unavailable(f"{url} gave a file that is no sound archive: {error}") from error


def sole_member(archive: Path, name: str) -> bool:
    """Say whether a file is a zip around nothing but the file ``name``."""
    if not zipfile.is_zipfile(archive):
        return False
    with zipfile.ZipFile(archive) as opened:
        return opened.namelist() == [name]


def _only(files: list[str], member: str, url: str) -> str:
    found = [one for one in files if one == member] or [one for one in files if one.endswith(f"/{member}")]
    if len(found) != 1:
        shown = ", ".join(sorted(files)[:10])
        raise Unavailable(f"{url}: {len(found)} files called {member} in the archive, which holds {shown}")
    return found[0]


def _copy(source: IO[bytes], target: Path) -> None:
    try:
        with target.open("wb") as stream:
            shutil.copyfileobj(source, stream, _PIECE)
    except (zipfile.BadZipFile, tarfile.TarError):
        raise
    except OSError as error:
        raise cannot_write(target, error) from error
