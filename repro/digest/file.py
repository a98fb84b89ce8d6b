"""Digests of files and byte streams: BLAKE3 over the bytes, nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from repro.digest.threads import hash_threads
from repro.errors import BadInput, MissingFile

_CHUNK_BYTES = 1 << 20


def file_digest(path: Path) -> str:
    """Return the BLAKE3 digest of a file's bytes, 64 hexadecimal digits.

    The file is mapped, not read, so this runs at the speed of the disk or of BLAKE3.

    Raises:
        MissingFile: there is no such file.
        BadInput: it is a folder, or may not be read.
    """
    if path.is_dir():
        raise BadInput(f"{path} is a folder; expected a file")
    try:
        return str(blake3(max_threads=hash_threads(path.stat().st_size)).update_mmap(path).hexdigest())
    except FileNotFoundError:
        raise MissingFile(f"no such file: {path}") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}") from error


def stream_digest(stream: BinaryIO) -> str:
    """Return the BLAKE3 digest of what is left in a binary stream, read in pieces of 1 MiB."""
    hasher = blake3()
    while piece := stream.read(_CHUNK_BYTES):
        hasher.update(piece)
    return str(hasher.hexdigest())
