"""The baseline of most subjects: BLAKE3 itself, over the same bytes and with as many threads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from blake3 import blake3

from repro.digest.threads import hash_threads

BARE = "bare BLAKE3, same threads"


def bare_digest(data: memoryview) -> Callable[[], Any]:
    """Return a call that hashes bytes that lie in memory."""
    threads = hash_threads(data.nbytes)
    return lambda: blake3(data, max_threads=threads).hexdigest()


def bare_file_digest(path: Path) -> Callable[[], Any]:
    """Return a call that maps and hashes a file."""
    threads = hash_threads(path.stat().st_size)
    return lambda: blake3(max_threads=threads).update_mmap(path).hexdigest()


def megabytes(num_bytes: int) -> str:
    """Return a size as people read it, in units of 10^6 or 10^3 bytes."""
    return f"{num_bytes / 1e6:g} MB" if num_bytes >= 10**6 else f"{num_bytes / 1e3:g} kB"
