"""Compares canonical digests with the ones that hold for all machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from repro.digest import file_digest
from repro.report.plain import counted
from repro.schema import BitVerdict
from repro.store.canonical import canonical_path, load_canonical, part_digests
from repro.trace import Trace


def judge_canonical(
    trace: Trace, *, system: str, model: str, probe: str, arithmetic: str, expected: Path
) -> tuple[BitVerdict, dict[str, Any], str | None]:
    """Judge a trace by the one digest of each part.

    Returns:
        the verdict, its reasons as plain data, and the digest of the file that was compared with.
    """
    found = part_digests(trace)
    stored = load_canonical(expected, system).find(model, probe, arithmetic)
    if stored is None:
        told = {"sentence": f"no digest of {arithmetic} is stored for {model} with this data", "digests": found}
        return BitVerdict.UNRECORDED, told, None
    names = sorted({*stored.digests, *found}, key=list({**stored.digests, **found}).index)
    parted = [name for name in names if stored.digests.get(name) != found.get(name)]
    told = {
        "sentence": _sentence(names, parted, stored.digests, found, arithmetic),
        "digests": found,
        "expected": stored.digests,
        "recorded_because": stored.reason,
    }
    verdict = BitVerdict.DIFFERENT if parted else BitVerdict.IDENTICAL
    return verdict, told, file_digest(canonical_path(expected, system))


def _sentence(
    names: list[str], parted: list[str], expected: dict[str, str], found: dict[str, str], arithmetic: str
) -> str:
    if not parted:
        return f"identical in {arithmetic}: {counted(len(names), 'digest')} for all machines"
    first = parted[0]
    there, here = (digests.get(first, "nothing")[:12] for digests in (expected, found))
    whose = "what was fed differs" if first == "input" else "a fault of the harness or of this machine"
    return f"{first} has digest {here} here and {there} everywhere else: {whose}"
