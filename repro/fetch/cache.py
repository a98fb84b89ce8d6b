"""The cache that all systems and projects of a user share: ``<artifact>/<file>`` and a receipt beside each file.

A file is in the cache if it lies under its own name: it was verified first and renamed last. Its receipt was
written just before and says what the file's bytes were, so every read can hold the bytes against it. One
process or thread at a time works on a file; the lock goes away with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from repro.digest import file_digest
from repro.errors import ReproError
from repro.fetch.verify import Measured
from repro.schema import ArtifactFile, Document
from repro.store.atomic import write_atomic

_POLL_SECONDS = 0.1


class Receipt(Document):
    """What came in.

    Attributes:
        source: the address that gave it; of a local file only its name.
        measured: its size and digests.
    """

    kind: ClassVar[str] = "repro-receipt"

    source: str
    measured: Measured


class Cache:
    """One cache folder.

    Args:
        folder: its path; made when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, artifact: str, file: str) -> Path:
        """Return where a file lies, whether or not it is there."""
        return self.folder / artifact / file

    @contextmanager
    def locked(self, path: Path, stop: threading.Event) -> Iterator[None]:
        """Wait until nobody else works on a file, and keep others from it.

        Raises:
            KeyboardInterrupt: the call was stopped while it waited.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(_beside(path, "lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if stop.wait(_POLL_SECONDS):
                        raise KeyboardInterrupt from None
            _sweep(path)
            yield
        finally:
            os.close(handle)

    def read(self, path: Path, stated: ArtifactFile) -> tuple[Receipt | None, str | None]:
        """Return the receipt of a file that is there and sound, or else ``None`` and what is wrong with it.

        Nothing is wrong where nothing is there. Call this with the file locked.
        """
        if not path.is_file():
            return None, None
        try:
            receipt = Receipt.read(_beside(path, "receipt.json"))
        except ReproError:
            return None, "it was not put there by this command"
        if receipt.measured.contradicts(stated):
            return None, "it is another file than the one that is stated now"
        if path.stat().st_size != receipt.measured.size or file_digest(path) != receipt.measured.blake3:
            return None, "its content has changed since it was fetched"
        return receipt, None

    def keep(self, partial: Path, path: Path, receipt: Receipt) -> None:
        """Give a verified file its name; the receipt first, the name last."""
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        write_atomic(_beside(path, "receipt.json"), receipt.to_json())
        partial.replace(path)


def _sweep(path: Path) -> None:
    """Remove the half-written notes and receipts of processes that were killed; nobody else is writing any now."""
    ours = (f".{path.name}.partial", f".{_beside(path, 'receipt.json').name}.")
    for stray in list(path.parent.iterdir()):
        if stray.name.startswith(ours) and stray.name.endswith(".partial"):
            stray.unlink()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}.{suffix}")
