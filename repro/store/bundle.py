"""A bundle: records, their traces, the report and the profile in one file, with the digest of all of it.

    bundle.json                  schema and the digest and size of every other entry
    profile.json                 one of the machines, for people
    records/<stage>/<system>/<model>-<address>.json
    objects/<digest>.json        the traces that the records name
    report/report.<html, md, json, xml>

Bundles come from strangers. One is read in memory and nothing of it is written anywhere; of its entries only records
and traces are looked at, each after its size and digest are known to be what ``bundle.json`` says.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from blake3 import blake3
from pydantic import Field

from repro.errors import BadInput, Contradiction, MissingFile
from repro.schema import Document, Frozen, Hex32, Record, parse_json
from repro.store.atomic import write_atomic
from repro.trace import Trace

MAX_ENTRIES = 20_000
MAX_ENTRY = 64 * 2**20
MAX_TOTAL = 2**30

_INDEX = "bundle.json"
_PART = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,150}"
_ALLOWED = re.compile(
    rf"profile\.json|records/{_PART}/{_PART}/{_PART}\.json|objects/[0-9a-f]{{64}}\.json|report/report\.(html|md|json|xml)"
)
_SAME_DAY = (1980, 1, 1, 0, 0, 0)  # a bundle tells no time


class Entry(Frozen):
    """One file of a bundle."""

    digest: Hex32
    size: Annotated[int, Field(ge=0)]


class BundleIndex(Document):
    """What a bundle holds, by name."""

    kind: ClassVar[str] = "repro-bundle"

    entries: dict[str, Entry]


@dataclass(frozen=True)
class Bundle:
    """What is read of a bundle: records by their names, traces by digest."""

    records: dict[str, Record]
    traces: dict[str, Trace]

    @classmethod
    def read(cls, path: Path) -> Bundle:
        """Read a bundle, trusting nothing in it.

        Raises:
            MissingFile: there is no such file.
            BadInput: it is no whole bundle, holds what no bundle may, or is too large; the message names the entry.
            Contradiction: an entry is not what its digest says.
            SchemaTooNew: it, or a document in it, was written by a newer version.
        """
        contents = _contents(path)
        records, traces = {}, {}
        for name, data in contents.items():
            where = f"{path}: {name}"
            if name.startswith("records/"):
                records[name] = Record.from_data(parse_json(data, where), where)
            elif name.startswith("objects/"):
                digest = name.removeprefix("objects/").removesuffix(".json")
                if str(blake3(data).hexdigest()) != digest:
                    raise Contradiction(f"{where}: its content is not what its name says")
                traces[digest] = Trace.from_data(parse_json(data, where), where)
        return cls(records, traces)


def write_bundle(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write a bundle atomically; the same contents give the same bytes.

    Args:
        path: the file.
        contents: by the names above; the index is made here.

    Raises:
        ValueError: a name that no bundle may hold.
    """
    refused = [name for name in contents if not _ALLOWED.fullmatch(name)]
    if refused:
        raise ValueError(f"no bundle may hold {refused[0]!r}")
    entries = {
        name: Entry(digest=str(blake3(data).hexdigest()), size=len(data)) for name, data in sorted(contents.items())
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in {_INDEX: BundleIndex(entries=entries).to_json().encode(), **contents}.items():
            info = zipfile.ZipInfo(name, _SAME_DAY)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            file.writestr(info, data)
    write_atomic(path, buffer.getvalue())


def _contents(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as file:
            members = _checked(path, file.infolist())
            index = _index(path, file, members)
            contents = {}
            for name, entry in index.entries.items():
                data = _bytes(path, file, members[name])
                if len(data) != entry.size or str(blake3(data).hexdigest()) != entry.digest:
                    raise Contradiction(
                        f"{path}: {name!r}: expected digest {entry.digest}, found {blake3(data).hexdigest()}",
                        next_step="ask for the bundle again",
                    )
                contents[name] = data
            return contents
    except FileNotFoundError:
        raise MissingFile(f"no such file: {path}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{path}: no whole bundle: {error}", next_step="ask for the bundle again") from error


def _checked(path: Path, members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name, after what their headers say was checked; nothing is unpacked before."""
    if len(members) > MAX_ENTRIES:
        raise BadInput(f"{path}: {len(members)} entries; a bundle has at most {MAX_ENTRIES}")
    found: dict[str, zipfile.ZipInfo] = {}
    for one in members:
        name, mode = one.orig_filename, one.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise BadInput(f"{path}: {name!r} is a link or no plain file")
        if name.startswith(("/", "\\")) or re.match("[A-Za-z]:", name):
            raise BadInput(f"{path}: {name!r} is an absolute path")
        if ".." in re.split(r"[/\\]", name):
            raise BadInput(f"{path}: {name!r} leads out of the bundle")
        if name != _INDEX and not _ALLOWED.fullmatch(name):
            raise BadInput(f"{path}: {name!r} is no name that a bundle has")
        if name in found:
            raise BadInput(f"{path}: {name!r} is there twice")
        if one.file_size > MAX_ENTRY:
            raise BadInput(f"{path}: {name!r} unpacks to {one.file_size} bytes; the limit is {MAX_ENTRY}")
        found[name] = one
    total = sum(one.file_size for one in members)
    if total > MAX_TOTAL:
        raise BadInput(f"{path}: unpacks to {total} bytes; the limit is {MAX_TOTAL}")
    return found


def _index(path: Path, file: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> BundleIndex:
    if _INDEX not in members:
        raise BadInput(f"{path}: no bundle: it has no {_INDEX}")
    where = f"{path}: {_INDEX}"
    index = BundleIndex.from_data(parse_json(_bytes(path, file, members[_INDEX]), where), where)
    listed, there = set(index.entries), set(members) - {_INDEX}
    if listed != there:
        odd = min(listed ^ there)
        raise BadInput(f"{path}: {odd!r} is {'listed but not there' if odd in listed else 'there but not listed'}")
    return index


def _bytes(path: Path, file: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return an entry's content; never more than its header said, whatever is compressed in it."""
    with file.open(member) as stream:
        data = stream.read(MAX_ENTRY + 1)
    if len(data) > MAX_ENTRY:
        raise BadInput(f"{path}: {member.filename!r} unpacks to more than {MAX_ENTRY} bytes")
    return data
