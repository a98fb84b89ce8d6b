"""Writes a tree of files made from images: all cores, little memory, and a killed run goes on where it was.

Files are written into ``<tree>.partial/``, which is renamed when the last one is there, so a tree under its own name is
whole. ``<tree>.journal`` lists what is written so far, as the lines of a manifest behind a line that says what the
files are made from. Whatever a journal does not list, or whose bytes are not what it says, is written again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np
from blake3 import blake3

from repro.digest import file_digest
from repro.errors import PrerequisiteError

Encode = Callable[[np.ndarray], Iterator[bytes]]

_CHUNK = 16  # images: enough work that handing it over costs nothing, little enough to lose when killed


def write_tree(
    tree: Path,
    plan: Mapping[str, int],
    images: np.ndarray,
    encode: Encode,
    source: str,
    progress: Callable[[int, int], None],
) -> dict[str, str]:
    """Write a tree, or the rest of it, and put it in the place of what is there under its name.

    Args:
        tree: the folder to make.
        plan: the row of each file, by the file's relative name.
        images: uint8 (n, height, width); may be mapped.
        encode: makes the bytes of some images' files; called from several threads at once.
        source: digest of all that the files are made from. What was begun from another source begins anew.
        progress: told how many files are there, and how many there are to be.

    Returns:
        the digest of each file by its name.

    Raises:
        PrerequisiteError: another run writes this tree, or the disk is full or refuses.
    """
    partial, journal = tree.with_name(f"{tree.name}.partial"), _journal_path(tree)
    try:
        tree.parent.mkdir(parents=True, exist_ok=True)
        with _locked(journal) as lines:
            if tree.exists() and not partial.exists() and _journal(lines, source):
                tree.rename(partial)  # a run was killed between the tree's last file and its record
            written = _begun(partial, lines, source, plan)
            for folder in {(partial / name).parent for name in plan}:
                folder.mkdir(parents=True, exist_ok=True)
            todo = [name for name in plan if name not in written]
            for chunk in _written(partial, plan, todo, images, encode):
                written.update(chunk)
                lines.writelines(f"{digest}  {name}\n" for name, digest in chunk.items())
                lines.flush()
                progress(len(written), len(plan))
            if tree.exists():
                shutil.rmtree(tree)
            partial.rename(tree)
    except OSError as error:
        raise PrerequisiteError(
            f"{error.filename or tree}: cannot be written ({error.strerror or error})",
            next_step="make room or mend the folder; the same call goes on where it was",
        ) from error
    return {name: written[name] for name in plan}


def is_finished(tree: Path) -> bool:
    """Say whether a tree is there and no run was killed while it wrote or replaced it."""
    return tree.is_dir() and not _journal_path(tree).exists()


def finish(tree: Path) -> None:
    """Drop the journal of a tree whose record is written."""
    _journal_path(tree).unlink(missing_ok=True)


def _journal_path(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}.journal")


@contextmanager
def _locked(journal: Path) -> Iterator[TextIO]:
    with journal.open("a+", encoding="utf-8", errors="replace", newline="\n") as lines:
        try:
            fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PrerequisiteError(
                f"another run writes {journal.with_suffix('')} now", next_step="wait for it, then run the same call"
            ) from None
        yield lines


def _journal(lines: TextIO, source: str) -> dict[str, str]:
    """Return the digests that a journal lists: none if it is of another source. A line cut off at its end is left out.

    What it says of a file is believed only where the file's bytes say the same.
    """
    lines.seek(0)
    head, _, rest = lines.read().partition("\n")
    whole = rest[: rest.rfind("\n") + 1] if head == source else ""
    return {name: digest for digest, _, name in (line.partition("  ") for line in whole.splitlines())}


def _begun(partial: Path, lines: TextIO, source: str, plan: Mapping[str, int]) -> dict[str, str]:
    """Return the files that are there as an earlier run wrote them, and remove whatever else there is."""
    listed = _journal(lines, source)
    kept = {name: digest for name, digest in listed.items() if name in plan and _intact(partial / name, digest)}
    if not kept:
        shutil.rmtree(partial, ignore_errors=True)
    for path in [path for path in partial.rglob("*") if not path.is_dir()]:
        if path.relative_to(partial).as_posix() not in kept:
            path.unlink()
    lines.seek(0)
    lines.truncate()
    lines.writelines([f"{source}\n", *(f"{digest}  {name}\n" for name, digest in kept.items())])
    lines.flush()
    return kept


def _intact(path: Path, digest: str) -> bool:
    return path.is_file() and not path.is_symlink() and file_digest(path) == digest


def _written(
    folder: Path, plan: Mapping[str, int], todo: Sequence[str], images: np.ndarray, encode: Encode
) -> Iterator[dict[str, str]]:
    """Write the files in chunks, several at once, and yield the digests of each chunk.

    Files that are written at once lie far apart, mostly in different folders: a file system makes one new file in a
    folder at a time.
    """

    def write(names: Sequence[str]) -> dict[str, str]:
        digests = {}
        files = encode(np.asarray(images[[plan[name] for name in names]]))
        for name, data in zip(names, files, strict=True):
            (folder / name).write_bytes(data)
            digests[name] = str(blake3(data).hexdigest())
        return digests

    workers = len(os.sched_getaffinity(0))
    by_folder = sorted(todo, key=lambda name: name.rpartition("/")[0])
    chunks = [by_folder[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
    apart = -(-len(chunks) // workers)
    pool = ThreadPoolExecutor(workers)  # what encodes should run outside the interpreter's lock
    running: deque[Future[dict[str, str]]] = deque()
    try:
        for chunk in (chunk for first in range(apart) for chunk in chunks[first::apart]):
            running.append(pool.submit(write, chunk))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
