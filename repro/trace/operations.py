"""The operations of one phase of a run, in the order in which they ran, whatever framework ran them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from repro.trace.trace import Trace, TraceEntry, trace_tensor

MOST = 20_000
"""Operations that are recorded at most."""


_NORMALISED = 3


def defined(name: str, outputs: list[Any]) -> list[Any]:
    """Return the results of an operation that hold values.

    A batch normalisation's first three do: result, mean and variance. What follows is space that it reserves for a
    backward pass of one library; elsewhere it is memory that nothing was written to.
    """
    plain = name.lower().replace("_", "")
    forward = "batchnorm" in plain and "backward" not in plain and "grad" not in plain
    return outputs[:_NORMALISED] if forward else outputs


class SeenOperations:
    """Digests and sketches of what operations make, the shapes of what they read, and one result whole.

    Attributes:
        reads: shapes of the tensors that each operation read, by the entry's name.
        kept: the values of the entry that was asked for.
        closed: whether an operation that runs now is not to be seen.
    """

    def __init__(self, keep: str | None = None) -> None:
        self._keep = keep
        self._entries: list[TraceEntry] = []
        self.reads: dict[str, list[list[int]]] = {}
        self.kept: np.ndarray | None = None
        self.closed = False

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Close while the block runs: what recording itself computes is no operation of the model."""
        before, self.closed = self.closed, True
        try:
            yield
        finally:
            self.closed = before

    def see(
        self, name: str, tensor: Any, operation: str, reads: Sequence[Sequence[int]], values: Callable[[], np.ndarray]
    ) -> None:
        """Record one result as ``<number> <name>``; ``values`` gives it as a NumPy array."""
        if len(self._entries) >= MOST:
            return
        called = f"{len(self._entries) + 1:04d} {name}"
        self._entries.append(trace_tensor(called, tensor, operation))
        self.reads[called] = [list(shape) for shape in reads]
        if called == self._keep:
            self.kept = values().copy()

    def trace(self) -> Trace:
        """Return the operations so far."""
        return Trace.from_entries(self._entries)

    def write(self, folder: Path) -> dict[str, list[list[int]]]:
        """Write ``operations.json`` and, if something was kept, ``kept.npy``; return what was read."""
        (folder / "operations.json").write_text(self.trace().to_json(), encoding="utf-8")
        if self.kept is not None:
            np.save(folder / "kept.npy", self.kept, allow_pickle=False)
        return self.reads
