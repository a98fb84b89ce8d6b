"""A trace: the ordered list of named tensors of one run, each with its digest and a sketch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import model_validator

from repro.digest.array import as_array, digest_values, little_endian
from repro.digest.manifest import set_digest
from repro.schema import Document, Frozen, Hex32
from repro.trace.sketch import Extremes, Sketch, sketch_values, thinned


class TraceEntry(Frozen):
    """One tensor of a run.

    Attributes:
        name: unique in its trace; ``/`` separates phase from tensor, e.g. ``step1/gradient/conv1.weight``.
        operation: the kind of layer or value that made it, e.g. ``Conv2d``, ``gradient``.
    """

    name: str
    operation: str
    dtype: str
    shape: tuple[int, ...]
    digest: Hex32
    sketch: Sketch | None = None


class Trace(Document):
    """The tensors of one run, in the order in which they were computed."""

    kind: ClassVar[str] = "repro-trace"

    entries: tuple[TraceEntry, ...]

    def __iter__(self) -> Iterator[TraceEntry]:  # type: ignore[override]  # a trace is its entries
        return iter(self.entries)

    def digests(self) -> dict[str, str]:
        """Return name to digest, in order."""
        return {entry.name: entry.digest for entry in self.entries}

    def digest(self) -> str:
        """Return the digest of the named set; the order of the entries is no part of it."""
        return set_digest(self.digests())

    @classmethod
    def from_entries(cls, entries: Sequence[TraceEntry]) -> Self:
        """Build a trace.

        Raises:
            ValueError: two entries have one name.
        """
        return cls(entries=tuple(entries))

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        seen: set[str] = set()
        for entry in self.entries:
            if entry.name in seen:
                raise ValueError(f"two tensors of one trace are called {entry.name!r}")
            seen.add(entry.name)
        return self


def thin(trace: Trace) -> Trace:
    """Return a trace with thinned sketches: shorter to store, and still compared with full ones."""
    return Trace(
        entries=tuple(
            entry
            if entry.sketch is None
            else entry.model_copy(update={"sketch": thinned(entry.sketch, math.prod(entry.shape))})
            for entry in trace
        )
    )


Scan = Callable[[np.ndarray, str], tuple[str, Extremes | None]]
"""Gives the digest of an array under a dtype's name, and its patterns' extremes if it met them on the way."""


def digest_alone(values: np.ndarray, dtype: str) -> tuple[str, None]:
    """Scan by the ``blake3`` package."""
    return digest_values(values, dtype), None


def trace_tensor(name: str, tensor: Any, operation: str, scan: Scan = digest_alone) -> TraceEntry:
    """Digest and sketch one tensor of any framework. Nothing of it is kept but those.

    Args:
        name, operation: of the entry.
        tensor: of any shape.
        scan: reads its values; whichever does, the entry is the same.

    Raises:
        TypeError: it is no dense tensor of numbers or booleans.
    """
    values, dtype = as_array(tensor)
    values = little_endian(values)  # once, for all that follow
    digest, extremes = scan(values, dtype)
    return TraceEntry(
        name=name,
        operation=operation,
        dtype=dtype,
        shape=values.shape,
        digest=digest,
        sketch=sketch_values(values, dtype, extremes),
    )
