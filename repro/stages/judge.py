"""Compares what was computed with what is stored for this machine: the verdict on bits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.compare.divergence import compare_traces
from repro.digest import file_digest
from repro.hardware.match import load_classes, match, nearest
from repro.paths import expected_folder, profiles_folder
from repro.schema import BitVerdict, Profile, Stack
from repro.stages.judge_canonical import judge_canonical
from repro.store.expectations import expectations_path, load_expectations
from repro.trace import Trace


@dataclass(frozen=True)
class Shelf:
    """Where stored expectations and profile classes lie."""

    expected: Path
    profiles: Path

    @classmethod
    def of(cls, expected: Path | None = None, profiles: Path | None = None) -> Shelf:
        """Return the given folders, each replaced by the project's where it is ``None``."""
        return cls(expected_folder(expected), profiles_folder(profiles))


@dataclass(frozen=True)
class Judgement:
    """A verdict on bits with its reasons, as plain data for a record.

    Attributes:
        expectations: digest of the file that was compared with, or ``None`` where there was none.
    """

    verdict: BitVerdict
    told: dict[str, Any]
    expectations: str | None = None


def judge(
    first: Trace,
    second: Trace | None,
    *,
    system: str,
    model: str,
    probe: str,
    profile: Profile,
    stack: Stack,
    shelf: Shelf,
    arithmetic: str = "native",
) -> Judgement:
    """Judge the traces of one or two runs on this machine.

    Args:
        first, second: the runs; two that differ are ``unstable``, whatever is stored.
        probe: what was fed, as the expectations name it.
        arithmetic: in canonical arithmetic neither profile nor stack is asked.
    """
    if second is not None:
        repeated = compare_traces(first, second)
        if repeated.first is not None:
            told = {
                "sentence": f"two runs on this machine differ: {repeated.sentence()}",
                "repeat": repeated.model_dump(mode="json"),
            }
            return Judgement(BitVerdict.UNSTABLE, told)
    if arithmetic != "native":
        asked = {"system": system, "model": model, "probe": probe, "arithmetic": arithmetic}
        return Judgement(*judge_canonical(first, expected=shelf.expected, **asked))
    classes = load_classes(shelf.profiles)
    found = match(profile, classes)
    if found is None:
        return Judgement(BitVerdict.UNRECORDED, _no_class(profile, shelf))
    path = expectations_path(shelf.expected, system, found.name)
    stored = load_expectations(shelf.expected, system, found.name)
    expectation = stored.find(model, probe, stack.packages)
    if expectation is None:
        return Judgement(BitVerdict.UNRECORDED, {"profile_class": found.name, **_no_entry(stored, model, probe, stack)})
    comparison = compare_traces(Trace(entries=expectation.trace), first)
    told = {
        "profile_class": found.name,
        "sentence": comparison.sentence(),
        "comparison": comparison.model_dump(mode="json"),
        "recorded_because": expectation.reason,
    }
    return Judgement(BitVerdict(comparison.verdict), told, file_digest(path))


def _no_class(profile: Profile, shelf: Shelf) -> dict[str, Any]:
    near = nearest(profile, load_classes(shelf.profiles))
    if near is None:
        return {
            "profile_class": None,
            "sentence": "no profile is stored yet; `repro record` adds this machine's",
        }
    closest, differences = near
    parts = [f"{one.field} is {one.found!r} here, {one.expected!r} there" for one in differences]
    return {
        "profile_class": None,
        "nearest": closest.name,
        "differences": [{"field": one.field, "expected": one.expected, "found": one.found} for one in differences],
        "sentence": f"no stored profile matches; the nearest is {closest.name}: {'; '.join(parts)}. "
        "`repro record` adds this machine's",
    }


def _no_entry(stored: Any, model: str, probe: str, stack: Stack) -> dict[str, Any]:
    same_probe = [one for one in stored.expectations if (one.model, one.probe) == (model, probe)]
    if not same_probe:
        return {"sentence": f"nothing is stored for {model} with this data on {stored.profile}"}
    other = min(same_probe, key=lambda one: (len(_other_versions(one.stack, stack.packages)), one.key))
    versions = _other_versions(other.stack, stack.packages)
    parts = [f"{name} is {here or 'absent'} here, {there or 'absent'} there" for name, there, here in versions]
    return {
        "nearest_stack": other.stack,
        "sentence": f"{stored.profile} is stored for another stack: {'; '.join(parts)}",
    }


def _other_versions(there: dict[str, str], here: dict[str, str]) -> list[tuple[str, str | None, str | None]]:
    names = sorted({*there, *here})
    return [(name, there.get(name), here.get(name)) for name in names if there.get(name) != here.get(name)]
