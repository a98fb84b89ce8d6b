"""A traced run that may be killed at any moment and goes on with the bits of an undisturbed one.

The program saves whatever its next step depends on, with the trace so far, in one file that is replaced at once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.trace.trace import Trace, TraceEntry, trace_tensor

_HEAD = "_"  # the name under which step, trace and plain data stand among the arrays
_SHARE = 20  # saving takes at most one part in this many of the time


@dataclass(frozen=True)
class Saved:
    """Where a run stood.

    Attributes:
        step: how many steps were done.
        arrays: by name, as they were saved.
        told: plain data.
    """

    step: int
    arrays: dict[str, np.ndarray]
    told: dict[str, Any]


class ResumableRun:
    """Collects the tensors of a run, in order, and keeps them across its deaths.

    Args:
        folder: for the saved state; made if it is not there.
        progress: told how many steps are done, and how many there are.
    """

    def __init__(self, folder: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "state.npz"
        self._entries: list[TraceEntry] = []
        self._due = 0.0
        self.progress = progress

    def add(self, name: str, tensor: Any, operation: str) -> None:
        """Record one tensor of any framework, or a NumPy array."""
        self._entries.append(trace_tensor(name, tensor, operation))

    def add_all(self, prefix: str, tensors: Mapping[str, Any], operation: str) -> None:
        """Record a mapping's tensors as ``prefix/name``, in its order."""
        for name, tensor in tensors.items():
            self.add(f"{prefix}/{name}", tensor, operation)

    def trace(self) -> Trace:
        """Return all that was recorded so far, by this process and those before it."""
        return Trace.from_entries(self._entries)

    def resumed(self) -> Saved | None:
        """Return where the last process stood, its tensors taken over; ``None`` where there was none."""
        if not self._path.exists():
            return None
        with np.load(self._path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head = json.loads(arrays.pop(_HEAD).tobytes())
        self._entries = [TraceEntry.model_validate(entry) for entry in head["entries"]]
        return Saved(head["step"], arrays, head["told"])

    def save(self, step: int, state: Callable[[], tuple[Mapping[str, np.ndarray], Mapping[str, Any]]]) -> None:
        """Save where the run stands after a step, unless that was done so lately that it would slow the run.

        Args:
            step: how many steps are done.
            state: gives the arrays and the plain data that the next step depends on.
        """
        if time.monotonic() < self._due:
            return
        started = time.monotonic()
        arrays, told = state()
        entries = [entry.model_dump(mode="json") for entry in self._entries]
        head = json.dumps({"step": step, "told": dict(told), "entries": entries}, allow_nan=False).encode()
        partial = self._path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, **{_HEAD: np.frombuffer(head, np.uint8), **arrays})  # type: ignore[arg-type]  # names are free
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)
        ended = time.monotonic()
        self._due = ended + _SHARE * (ended - started)
