"""``repro record``: takes what was measured here as what should come out on machines like this one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repro.compare.divergence import compare_traces
from repro.errors import MissingFile, UsageError
from repro.hardware.match import describe, load_classes, match, write_class
from repro.report.reading import stored_records
from repro.schema import BitVerdict, Profile, ProfileClass, Record
from repro.stages.judge import Shelf
from repro.store.canonical import CanonicalDigest, load_canonical, part_digests, save_canonical
from repro.store.expectations import Expectation, load_expectations, save_expectations
from repro.store.results import Results
from repro.trace import Trace, thin

ALL_MACHINES = "all machines"
"""What stands for the profile class of canonical digests."""


@dataclass(frozen=True)
class Change:
    """What one record adds to or changes in the stored expectations.

    Attributes:
        kind: ``added``, ``changed`` or ``unchanged``.
        difference: for a changed one, where old and new part.
        new_class: the profile class that has to be written with it, if its machine had none.
    """

    record: Record
    profile_class: str
    kind: str
    difference: str | None
    new_class: ProfileClass | None


def plan_changes(results: Results, shelf: Shelf, systems: Sequence[str] | None = None) -> list[Change]:
    """Return what the records in a results folder would change, and change nothing.

    Args:
        results: where the measured records are.
        shelf: what is stored now.
        systems: only these; all by default.

    Raises:
        MissingFile: there is no measured record to take.
    """
    changes = []
    new_classes: dict[str, ProfileClass] = {}
    for record in stored_records(results).values():
        if "trace" not in record.outputs or record.system is None or record.profile is None:
            continue
        if (systems is not None and record.system not in systems) or record.verdict == BitVerdict.UNSTABLE:
            continue
        changes.append(_change(record, results, shelf, new_classes))
    if not changes:
        raise MissingFile(
            f"{results.folder} holds no stable measurement to record", next_step="run `repro check-rep` first"
        )
    return changes


def apply_changes(
    changes: Sequence[Change], results: Results, shelf: Shelf, *, reason: str, recorded_by: str | None = None
) -> None:
    """Write changes to the shelf: profile classes first, then the expectations that name them.

    Args:
        changes: from :func:`plan_changes`.
        results, shelf: as there.
        reason: why, in a sentence; kept beside the digests.
        recorded_by: who, if they want to be named.

    Raises:
        UsageError: the reason is empty.
    """
    if not reason.strip():
        raise UsageError("a reason is needed to record expectations", next_step='repro record --reason "..."')
    for change in changes:
        if change.kind == "unchanged":
            continue
        if change.new_class is not None:
            write_class(shelf.profiles, change.new_class)
        record = change.record
        assert record.system is not None
        assert record.model is not None
        assert record.stack is not None
        trace = results.load_document(Trace, record.outputs["trace"])
        if _is_canonical(record):
            new = CanonicalDigest(
                model=record.model,
                probe=record.result["probe"],
                arithmetic=record.parameters["arithmetic"],
                digests=part_digests(trace),
                reason=reason.strip(),
                recorded_by=recorded_by,
            )
            known = load_canonical(shelf.expected, record.system)
            save_canonical(shelf.expected, known.with_added(new))
            continue
        expectation = Expectation(
            model=record.model,
            probe=record.result["probe"],
            stack=record.stack.packages,
            reason=reason.strip(),
            recorded_by=recorded_by,
            trace=thin(trace).entries,
        )
        stored = load_expectations(shelf.expected, record.system, change.profile_class)
        save_expectations(shelf.expected, stored.with_added(expectation))


def _change(record: Record, results: Results, shelf: Shelf, new_classes: dict[str, ProfileClass]) -> Change:
    assert record.profile is not None
    assert record.system is not None
    assert record.model is not None
    assert record.stack is not None
    if _is_canonical(record):
        return _canonical_change(record, results, shelf)
    found = match(record.profile, load_classes(shelf.profiles))
    new_class = None
    if found is None:
        found = new_class = _class_of(record.profile, new_classes)
    stored = load_expectations(shelf.expected, record.system, found.name)
    before = stored.find(record.model, record.result["probe"], record.stack.packages)
    if before is None:
        return Change(record, found.name, "added", None, new_class)
    now = results.load_document(Trace, record.outputs["trace"])
    comparison = compare_traces(Trace(entries=before.trace), now)
    kind = "unchanged" if comparison.verdict == BitVerdict.IDENTICAL else "changed"
    return Change(record, found.name, kind, comparison.sentence() if kind == "changed" else None, new_class)


def _is_canonical(record: Record) -> bool:
    return bool(record.parameters.get("arithmetic", "native") != "native")


def _canonical_change(record: Record, results: Results, shelf: Shelf) -> Change:
    assert record.system is not None
    assert record.model is not None
    stored = load_canonical(shelf.expected, record.system)
    before = stored.find(record.model, record.result["probe"], record.parameters["arithmetic"])
    if before is None:
        return Change(record, ALL_MACHINES, "added", None, None)
    now = part_digests(results.load_document(Trace, record.outputs["trace"]))
    parted = [name for name in {**before.digests, **now} if before.digests.get(name) != now.get(name)]
    difference = f"another digest of {', '.join(parted)}" if parted else None
    return Change(record, ALL_MACHINES, "changed" if parted else "unchanged", difference, None)


def _class_of(profile: Profile, known: dict[str, ProfileClass]) -> ProfileClass:
    described = describe(profile)
    return known.setdefault(described.name, described)
