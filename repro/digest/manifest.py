r"""Digest of a named set: a state dict, a folder, any mapping from name to digest.

It is the BLAKE3 digest of the lines ``{digest}  {name}\n``, sorted by the names' UTF-8 bytes. Names are
part of it: two sets with the same contents under other names differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from blake3 import blake3

from repro.digest.file import file_digest
from repro.errors import BadInput

_LINE_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"([0-9a-f]{64})  (.+)", re.DOTALL)


def write_manifest(digests: Mapping[str, str]) -> bytes:
    """Return the lines of a named set, sorted by name.

    Raises:
        BadInput: a name is empty, holds a line break or is no Unicode text, or a digest is not 64 hexadecimal
            digits.
    """
    lines = []
    for name, digest in digests.items():
        if not name or _LINE_BREAKS.search(name):
            raise BadInput(f"cannot put the name {name!r} into a set: it is empty or holds a line break")
        if not _DIGEST.fullmatch(digest):
            raise BadInput(f"{name}: expected a digest of 64 hexadecimal digits, got {digest!r}")
        lines.append((_utf8(name), digest.encode("ascii")))
    return b"".join(b"%s  %s\n" % (digest, name) for name, digest in sorted(lines))


def parse_manifest(text: bytes) -> dict[str, str]:
    """Read back what :func:`write_manifest` wrote; the two are each other's inverse, to the byte.

    Raises:
        BadInput: ``text`` is nothing that :func:`write_manifest` writes. A line that is none is named by its
            number.
    """
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 at byte {error.start}") from error
    if lines.pop():
        raise BadInput(f"line {len(lines) + 1}: it does not end in a line break; the text may be cut off")
    digests: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None or match[2] in digests:
            raise BadInput(f"line {number}: expected '<64 hexadecimal digits>  <new name>', got {line!r}")
        digests[match[2]] = match[1]
    if write_manifest(digests) != text:
        raise BadInput("the lines are not sorted by the UTF-8 bytes of their names")
    return digests


def set_digest(digests: Mapping[str, str]) -> str:
    """Return the digest of a mapping from name to digest, 64 hexadecimal digits."""
    return str(blake3(write_manifest(digests)).hexdigest())


def folder_manifest(folder: Path, pattern: str = "**/*") -> dict[str, str]:
    """Return the digest of every file below a folder under its relative name with forward slashes, sorted.

    A link to a file inside the folder counts as that file under the link's name. Empty folders are no part.

    Raises:
        BadInput: ``folder`` is no folder, or holds what is no file: a link that leads out, to a folder or
            nowhere, or a device.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder")
    root = folder.resolve()
    digests = {}
    for path in folder.glob(pattern):
        if path.is_dir() and not path.is_symlink():
            continue
        if not path.resolve().is_relative_to(root):
            raise BadInput(f"{path} is a link that leads out of {folder}")
        if not path.is_file():
            raise BadInput(f"{path} is no file, but a device or a link to a folder or nowhere")
        digests[path.relative_to(folder).as_posix()] = file_digest(path)
    return dict(sorted(digests.items(), key=lambda item: _utf8(item[0])))


def folder_digest(folder: Path, pattern: str = "**/*") -> str:
    """Return the digest of a folder's files and names; see :func:`folder_manifest`."""
    return set_digest(folder_manifest(folder, pattern))


def _utf8(name: str) -> bytes:
    try:
        return name.encode("utf-8")
    except UnicodeEncodeError:
        raise BadInput(f"cannot put the name {name!r} into a set: it is no Unicode text") from None
