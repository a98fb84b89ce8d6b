"""Where two runs part, as far down as it could be seen: what ``repro compare --deep`` answers."""

from __future__ import annotations

from repro.compare.divergence import Divergence
from repro.compare.element import Element
from repro.schema import Frozen


class Localised(Frozen):
    """Where two runs part.

    Attributes:
        labels: the two runs.
        notes: of each, whether its recorded bits came out here, and how.
        first: the first divergent tensor of the traces.
        operation: the operation that differs, or with sketches alone the one that makes the tensor.
        entry: its number and name in the order of the phase's operations.
        reads, shape: the shapes of what it reads and of what it makes.
        element: the first element that differs.
        sampled: whether ``element`` is the first of the values that sketches keep, not of all.
        operations: with sketches alone, those behind the last tensor that both agree in, up to ``operation``.
        remark: what else is to be said.
    """

    labels: tuple[str, str]
    notes: tuple[str, str]
    first: Divergence
    operation: str | None = None
    entry: str | None = None
    reads: tuple[tuple[int, ...], ...] = ()
    shape: tuple[int, ...] = ()
    element: Element | None = None
    sampled: bool = False
    operations: tuple[str, ...] = ()
    remark: str = ""
