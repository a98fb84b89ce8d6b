"""Measures a file once and holds it against everything that was stated of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from blake3 import blake3
from pydantic import Field

from repro.errors import Contradiction
from repro.schema import ArtifactFile, Frozen, Hex32
from repro.schema.artifact import Md5, Sha1, Sha256

_PIECE = 1 << 20


class Measured(Frozen):
    """What a file is: its size in bytes and every digest that publishers use."""

    size: Annotated[int, Field(ge=0)]
    md5: Md5
    sha1: Sha1
    sha256: Sha256
    git_blob_sha1: Sha1
    blake3: Hex32

    def contradicts(self, stated: ArtifactFile) -> list[str]:
        """Return what differs from what was stated, one line each."""
        lines = []
        if stated.size is not None and stated.size != self.size:
            lines.append(f"expected {stated.size} bytes, found {self.size}")
        for name, expected in stated.stated.items():
            found = self.sha256[: len(expected)] if name == "sha256_prefix" else getattr(self, name)
            if found != expected:
                lines.append(f"expected {name} {expected}, found {found}")
        return lines


def measure(path: Path) -> Measured:
    """Return size and digests of a file, read once."""
    size = path.stat().st_size
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    md5, sha1 = (hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1"))
    sha256, fast = hashlib.sha256(), blake3()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            for hasher in (blob, md5, sha1, sha256, fast):
                hasher.update(piece)
    return Measured(
        size=size,
        md5=md5.hexdigest(),
        sha1=sha1.hexdigest(),
        sha256=sha256.hexdigest(),
        git_blob_sha1=blob.hexdigest(),
        blake3=fast.hexdigest(),
    )


def refuse_other_content(measured: Measured, stated: ArtifactFile, where: str) -> None:
    """Raise where a file is not what was stated.

    Raises:
        Contradiction: naming the source, the file, what was expected and what was found.
    """
    lines = measured.contradicts(stated)
    if lines:
        raise Contradiction(
            f"{where} gave another file than {stated.name}: {'; '.join(lines)}",
            next_step="nothing was kept; try later, or give a copy that you trust with --mirror",
        )
