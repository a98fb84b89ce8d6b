"""What should come out: stored traces, keyed by system, model, probe, profile class and stack.

One file a system and profile class: ``expected_results/<system>/digests/<class>.json``. Files are long
but diffable: one line a tensor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from repro.errors import BadInput
from repro.schema import Document, Frozen
from repro.store.atomic import write_atomic
from repro.trace import Trace, TraceEntry


class Expectation(Frozen):
    """One stored trace.

    Attributes:
        model: the model's name.
        probe: what was fed: the name of the data and the digest of its content.
        stack: the stack's name and the versions of the packages that can change bits.
        reason: why it was recorded, in the words of who recorded it.
        recorded_by: who did, if they wanted to be named.
        trace: the tensors in order.
    """

    model: str
    probe: str
    stack: dict[str, str]
    reason: str
    recorded_by: str | None = None
    trace: tuple[TraceEntry, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        """What must be equal for a comparison."""
        return (self.model, self.probe, json.dumps(self.stack, sort_keys=True))


class Expectations(Document):
    """All stored traces of one system for one profile class."""

    kind: ClassVar[str] = "repro-expectations"

    system: str
    profile: str
    expectations: tuple[Expectation, ...] = Field(default=())

    def find(self, model: str, probe: str, stack: dict[str, str]) -> Expectation | None:
        """Return the stored trace for exactly this model, probe and stack."""
        for expectation in self.expectations:
            if (expectation.model, expectation.probe, expectation.stack) == (model, probe, stack):
                return expectation
        return None

    def with_added(self, new: Expectation) -> Expectations:
        """Return a copy that holds ``new``, in place of one with its key; sorted by key."""
        kept = [one for one in self.expectations if one.key != new.key]
        ordered = tuple(sorted([*kept, new], key=lambda one: one.key))
        return self.model_copy(update={"expectations": ordered})


def expectations_path(folder: Path, system: str, profile: str) -> Path:
    """Return where a system's expectations for a profile class lie."""
    return folder / system / "digests" / f"{profile}.json"


def load_expectations(folder: Path, system: str, profile: str) -> Expectations:
    """Read a system's expectations for a profile class; an absent file holds none.

    Raises:
        BadInput, SchemaTooNew: the file is damaged, names another system or profile, or is newer.
    """
    path = expectations_path(folder, system, profile)
    if not path.exists():
        return Expectations(system=system, profile=profile)
    stored = Expectations.read(path)
    if (stored.system, stored.profile) != (system, profile):
        raise BadInput(f"{path}: holds {stored.system} for {stored.profile}; expected {system} for {profile}")
    for one in stored.expectations:
        Trace.from_entries(list(one.trace))
    return stored


def save_expectations(folder: Path, stored: Expectations) -> Path:
    """Write expectations atomically, one line a tensor, and return the path."""
    path = expectations_path(folder, stored.system, stored.profile)
    write_atomic(path, _one_line_a_tensor(stored))
    return path


def _one_line_a_tensor(stored: Expectations) -> str:
    data = stored.to_data()
    blocks = []
    for one in data["expectations"]:
        lines = [_line(name, one[name]) for name in one if name != "trace"]
        tensors = ",\n".join(f"   {json.dumps(entry, ensure_ascii=False)}" for entry in one["trace"])
        blocks.append("{" + ",\n  ".join(lines) + ',\n  "trace": [\n' + tensors + "\n  ]}")
    head = [_line(name, data[name]) for name in data if name != "expectations"]
    return "{" + ",\n ".join(head) + ',\n "expectations": [\n ' + ",\n ".join(blocks) + "\n ]\n}\n"


def _line(name: str, value: Any) -> str:
    return f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
