"""How many threads BLAKE3 may hash with. The digest is the same with any number."""

from __future__ import annotations

from blake3 import blake3

_THREADED_BYTES = 1 << 23


def hash_threads(num_bytes: int) -> int:
    """Return the ``max_threads`` for an input of that size: all cores from 8 MiB on, else this thread alone.

    Measured between the layers of a model, where BLAKE3's threads sleep and the framework's do not: below, waking them
    costs more than they save.
    """
    return blake3.AUTO if num_bytes >= _THREADED_BYTES else 1
