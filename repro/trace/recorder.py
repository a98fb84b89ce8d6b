"""Collects the tensors of one run, in order, whatever framework made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repro.trace.trace import Scan, Trace, TraceEntry, digest_alone, trace_tensor


class TensorRecorder:
    """The tensors of one run. Nothing is kept of them but digest and sketch, so memory stays flat.

    Args:
        scan: reads a tensor's values.
    """

    def __init__(self, scan: Scan = digest_alone) -> None:
        self._scan = scan
        self._entries: list[TraceEntry] = []

    def add(self, name: str, tensor: Any, operation: str) -> None:
        """Record one tensor of any framework, or a NumPy array."""
        self.add_entry(self.entry(name, tensor, operation))

    def add_all(self, prefix: str, tensors: Mapping[str, Any], operation: str) -> None:
        """Record a mapping's tensors as ``prefix/name``, in its order."""
        for name, tensor in tensors.items():
            self.add(f"{prefix}/{name}", tensor, operation)

    def entry(self, name: str, tensor: Any, operation: str) -> TraceEntry:
        """Return what :meth:`add` would append."""
        return trace_tensor(name, tensor, operation, self._scan)

    def add_entry(self, entry: TraceEntry) -> None:
        """Append an entry that was made elsewhere."""
        self._entries.append(entry)

    def trace(self) -> Trace:
        """Return all that was recorded so far."""
        return Trace.from_entries(self._entries)
