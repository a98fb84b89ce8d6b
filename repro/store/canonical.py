"""What must come out in canonical arithmetic, on every machine: ``expected_results/<system>/canonical.json``.

One digest for each part of a probe; no profile and no stack is in the key.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from repro.digest.manifest import set_digest
from repro.errors import BadInput
from repro.schema import Document, Frozen, Hex32
from repro.store.atomic import write_atomic
from repro.trace import Trace, TraceEntry

PARTS = ("input", "contract", "forward", "training", "scores", "weights")
"""Parts of a trace, in the order in which they are compared: what is fed is told apart from what is computed."""


class CanonicalDigest(Frozen):
    """One probe's digests.

    Attributes:
        model: the model's name.
        probe: what was fed.
        arithmetic: the version of the definitions.
        digests: by part: the digest of the named set of its tensors.
        reason: why it was recorded.
        recorded_by: who did, if they wanted to be named.
    """

    model: str
    probe: str
    arithmetic: str
    digests: dict[str, Hex32]
    reason: str
    recorded_by: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What must be equal for a comparison."""
        return (self.model, self.probe, self.arithmetic)


class CanonicalDigests(Document):
    """All canonical digests of one system."""

    kind: ClassVar[str] = "repro-canonical-digests"

    system: str
    entries: tuple[CanonicalDigest, ...] = Field(default=())

    def find(self, model: str, probe: str, arithmetic: str) -> CanonicalDigest | None:
        """Return what is stored for exactly this model, probe and version."""
        return next((one for one in self.entries if one.key == (model, probe, arithmetic)), None)

    def with_added(self, new: CanonicalDigest) -> CanonicalDigests:
        """Return a copy that holds ``new``, in place of one with its key; sorted by key."""
        kept = [one for one in self.entries if one.key != new.key]
        return self.model_copy(update={"entries": tuple(sorted([*kept, new], key=lambda one: one.key))})


def part_digests(trace: Trace) -> dict[str, str]:
    """Return one digest for each part that a trace has, in the order of :data:`PARTS`."""
    parts: dict[str, dict[str, str]] = {}
    for entry in trace:
        parts.setdefault(_part(entry), {})[entry.name] = entry.digest
    return {name: set_digest(parts[name]) for name in PARTS if name in parts}


def _part(entry: TraceEntry) -> str:
    if entry.operation in ("input", "labels"):
        return "input"
    head = entry.name.split("/")[0]
    if head.startswith("step"):
        return "training"
    return {"weight": "weights"}.get(head, head if head in PARTS else "input")


def canonical_path(folder: Path, system: str) -> Path:
    """Return where a system's canonical digests lie."""
    return folder / system / "canonical.json"


def load_canonical(folder: Path, system: str) -> CanonicalDigests:
    """Read a system's canonical digests; an absent file holds none.

    Raises:
        BadInput, SchemaTooNew: the file is damaged, names another system, or is newer.
    """
    path = canonical_path(folder, system)
    if not path.exists():
        return CanonicalDigests(system=system)
    stored = CanonicalDigests.read(path)
    if stored.system != system:
        raise BadInput(f"{path}: holds {stored.system}; expected {system}")
    return stored


def save_canonical(folder: Path, stored: CanonicalDigests) -> Path:
    """Write canonical digests atomically and return the path."""
    path = canonical_path(folder, stored.system)
    write_atomic(path, stored.to_json())
    return path
