"""Finds out what a container holds, and reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipelines.common.compressed import Decompressed, Progress
from pipelines.common.containers.members import Member, walk
from pipelines.common.containers.semicolons import FILES, looks_like_semicolons, read_semicolons
from pipelines.common.containers.trees import is_image, place_of, read_tree
from pipelines.common.dataset import Dataset, joined
from pipelines.common.editions import UNKNOWN_EDITION, with_edition
from pipelines.common.fer2013 import header_names, read_table
from repro.errors import BadInput

_HEAD_BYTES = 1 << 16
_SHOWN = 6  # names in a message


def read_container(path: Path, progress: Progress | None = None) -> Dataset:
    """Read FER2013 from any container that it is known to come in.

    These are ``fer2013.csv``, ``icml_face_data.csv``, the competition's ``train.csv`` and ``test.csv`` (alone or
    together), the LHC-Net authors' ``data_train.csv``, ``data_val.csv`` and ``data_test.csv`` (alone or together),
    and a folder per split and class of PNG or JPEG files; each as it is, in .gz or .xz, in a folder, or inside a
    .zip or .tar (plain, .gz, .xz). What it is, is known by content; only what the content does not say, the split
    of the authors' files and of a labelled ``test.csv``, is taken from their names.

    Args:
        path: a file or a folder.
        progress: told the bytes read and how many there are.

    Raises:
        MissingFile: there is no such path.
        BadInput: it holds none of these or several, or what it holds is damaged; the message gives file or
            member, and row.
    """
    plan = _Plan(path)
    for member in walk(path):
        plan.look_at(member)
    plan.decide()
    if plan.root is not None:
        return with_edition(read_tree(walk(path), plan.root, progress, plan.total))
    parts, digests, done = {}, {}, 0
    for member in walk(path):
        if member.name in plan.tables:
            table = plan.tables[member.name]
            pieces = _Pieces(member, progress, done, plan.total)
            parts[table.order] = table.read(iter(pieces), member.where)
            digests[member.name] = pieces.md5.hexdigest()
            done += member.size
    return with_edition(joined([part for _, part in sorted(parts.items())], UNKNOWN_EDITION), digests)


@dataclass(frozen=True)
class _Table:
    """A table that was found. ``layout`` is kaggle, competition or semicolons; ``usage`` that of all its rows."""

    layout: str
    usage: str | None

    @property
    def order(self) -> int:
        return (None, "Training", "PublicTest", "PrivateTest", "Test").index(self.usage)

    def read(self, pieces: Iterator[bytes], where: str) -> Dataset:
        if self.layout == "semicolons":
            return read_semicolons(pieces, where, self.usage or "")
        return read_table(pieces, where, self.usage)


class _Plan:
    """What a container holds.

    Attributes:
        tables: by the member's name.
        root: of the tree of images, where it holds one.
        total: bytes of what is to be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables: dict[str, _Table] = {}
        self.root: str | None = None
        self.total = 0
        self._roots: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._others: list[str] = []
        self._stray: list[str] = []  # images that stand nowhere in a tree

    def look_at(self, member: Member) -> None:
        """Take one file into account."""
        place = place_of(member.name)
        if place is not None:
            self._roots[place.root] = self._roots.get(place.root, 0) + member.size
            return
        head = member.head(_HEAD_BYTES)
        alone = self.path.is_file() and member.where == str(self.path)
        table = _recognised(head, member, alone)
        if table is not None:
            self.tables[member.name] = table
            self._sizes[member.name] = member.size
        elif is_image(head):
            self._stray.append(member.name)
        else:
            self._others.append(member.name)

    def decide(self) -> None:
        """Choose the one data set that there is; raises BadInput where there is none or several."""
        candidates = [f"{root or '.'}/ (a folder per split and class)" for root in sorted(self._roots)]
        layouts = sorted({table.layout for table in self.tables.values()})
        for layout in layouts:
            names = [name for name, table in self.tables.items() if table.layout == layout]
            usages = [self.tables[name].usage for name in names]
            together = layout != "kaggle" and len(set(usages)) == len(usages)
            candidates += [" with ".join(sorted(names))] if together else sorted(names)
        if len(candidates) > 1:
            raise BadInput(
                f"{self.path} holds several data sets: {_listed(candidates)}",
                next_step="unpack the one that you mean and give its path",
            )
        if not candidates:
            raise BadInput(self._nothing(), next_step="docs/data.md lists the containers that are read")
        if self._roots:
            (self.root,) = self._roots
            self.total = self._roots[self.root]
            inside = [name for name in self._stray if name.startswith(f"{self.root}/" if self.root else "")]
            if inside:
                raise BadInput(f"{self.path}: {inside[0]} is in no folder of a known split and class")
        else:
            self.total = sum(self._sizes.values())

    def _nothing(self) -> str:
        found = self._others + self._stray
        holds = f"it holds {_listed(sorted(found))}" if found else "it holds no file"
        return f"{self.path} is no container of FER2013: {holds}"


def _recognised(head: bytes, member: Member, alone: bool) -> _Table | None:
    """Return what table a file is, by its first bytes.

    One that stands alone and is nothing else is taken for the Kaggle table: its reader tells what is wrong.
    """
    lines = [line for line in head.split(b"\n") if line.strip()][:2]
    stem = member.name.rpartition("/")[2].partition(".")[0].lower()
    if looks_like_semicolons(lines):
        if stem not in FILES:
            raise BadInput(
                f"{member.where}: a table with semicolons, whose split only its name tells; expected one of "
                + ", ".join(f"{name}.csv" for name in FILES)
            )
        return _Table("semicolons", FILES[stem])
    try:
        names = header_names(lines[0]) if lines else []
    except BadInput:
        names = []
    if sorted(names) == ["emotion", "pixels"] and stem != "test":
        return _Table("competition", "Training")
    if sorted(names) in (["emotion", "pixels"], ["pixels"]):
        return _Table("competition", "Test")
    return _Table("kaggle", None) if "pixels" in names or (alone and not is_image(head)) else None


class _Pieces:
    """A member's decompressed bytes, and their MD5, computed beside the parsing."""

    def __init__(self, member: Member, progress: Progress | None, before: int, total: int) -> None:
        self._member, self._progress, self._before, self._total = member, progress, before, total
        self.md5 = hashlib.md5(usedforsecurity=False)

    def __iter__(self) -> Iterator[bytes]:
        with self._member.open() as file, ThreadPoolExecutor(1) as beside:
            hashed = beside.submit(self.md5.update, b"")
            for piece in Decompressed(file, self._member.where).pieces(self._told, self._total):
                hashed.result()  # one piece at a time: memory stays bounded
                hashed = beside.submit(self.md5.update, piece)
                yield piece

    def _told(self, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(self._before + done, total)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
