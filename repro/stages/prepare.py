"""Raw images to network inputs, a batch at a time: memory does not grow with the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from repro.digest import pieces_digest
from repro.registry import resolve
from repro.schema import Protocol, System
from repro.trace import TraceEntry

_PIECE = 1024


def prepared_batches(
    system: System, protocol: Protocol, images: np.ndarray, rows: np.ndarray, batch: int
) -> Iterator[np.ndarray]:
    """Yield the prepared inputs of the rows in order, ``batch`` at a time."""
    prepare = resolve(system.prepare)
    for start in range(0, len(rows), batch):
        yield prepare(np.asarray(images[rows[start : start + batch]]), protocol.settings)


def prepared_entry(system: System, protocol: Protocol, images: np.ndarray, rows: np.ndarray, name: str) -> TraceEntry:
    """Return the digest of the rows as a protocol prepares them, as the trace entry ``data/<protocol>/<name>``.

    It has no sketch: the inputs are never held together.
    """
    first = next(prepared_batches(system, protocol, images, rows[:1], 1))
    shape = (len(rows), *first.shape[1:])
    pieces = prepared_batches(system, protocol, images, rows, _PIECE)
    return TraceEntry(
        name=f"data/{protocol.name}/{name}",
        operation="preprocessing",
        dtype=first.dtype.name,
        shape=shape,
        digest=pieces_digest(pieces, first.dtype.name, shape),
    )
