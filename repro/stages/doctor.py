"""Looks at all that the stages need before they need it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from repro.errors import ReproError
from repro.fetch import Cache
from repro.hardware.match import load_classes
from repro.paths import cache_folder, project_root
from repro.registry import systems
from repro.schema import Caps
from repro.stages.child import run_child
from repro.stages.fetch import declared
from repro.stages.judge import Shelf
from repro.stages.stacks import find_stack, installed_packages, stack_names
from repro.store.claims import load_claims, load_defects
from repro.store.expectations import load_expectations

_PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")


class State(StrEnum):
    """How a thing was found."""

    OK = "ok"
    MISSING = "missing"
    """It can be had or is not needed by all; what it blocks is told."""
    FAULT = "fault"
    """It is there and wrong, or nothing works without it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        blocks: ids of the published numbers that cannot be measured without it.
        next_step: what gets or mends it.
    """

    subject: str
    state: State
    told: str
    blocks: tuple[str, ...] = ()
    next_step: str | None = None


def examine(shelf: Shelf) -> list[Finding]:
    """Return one finding for each stack and each kind of stored data, sound or not; raises nothing of its own."""
    findings = [_looked(f"stack {name}", lambda name=name: _stack(name)) for name in stack_names()]  # type: ignore[misc]
    findings.append(_looked("systems", lambda: f"{len(systems())} declared: {', '.join(systems())}"))
    findings.append(_looked("claims", lambda: f"{len(load_claims(shelf.expected))} published numbers"))
    findings.append(_looked("defects", lambda: f"{len(load_defects(shelf.expected))} known"))
    findings.append(_looked("profile classes", lambda: f"{len(load_classes(shelf.profiles))} stored"))
    findings.append(_looked("expectations", lambda: _expectations(shelf)))
    findings.append(_looked("canonical arithmetic", _canonical))
    return findings + _artifacts(shelf)


def _artifacts(shelf: Shelf) -> list[Finding]:
    """Return one finding an artifact: whether it is in the cache, and what cannot be measured while it is not."""
    findings = []
    cache = Cache(cache_folder(None))
    claims = load_claims(shelf.expected)
    for artifact in declared(shelf.expected):
        blocks = tuple(claim.id for claim in claims if claim.artifact == artifact.id)
        lacking = [file.name for file in artifact.files if not cache.path(artifact.id, file.name).is_file()]
        subject = f"{artifact.kind} {artifact.id}"
        if not lacking:
            findings.append(Finding(subject, State.OK, "in the cache; every read verifies it"))
        elif artifact.is_published:
            told = f"{len(lacking)} of {len(artifact.files)} files are not in the cache"
            findings.append(Finding(subject, State.MISSING, told, blocks, f"repro fetch {artifact.id}"))
        else:
            findings.append(Finding(subject, State.MISSING, "published nowhere that the sources name", blocks))
    return findings


def _looked(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, State.OK, look())
    except ReproError as error:
        return Finding(subject, State.FAULT, error.message, next_step=error.next_step)


def _stack(name: str) -> str:
    environment = find_stack(name)
    lock = project_root() / "pipelines" / "stacks" / f"{name}.txt"
    locked = {
        match[1].lower().replace("_", "-"): match[2]
        for line in lock.read_text(encoding="utf-8").splitlines()
        if (match := _PIN.match(line))
    }
    have = installed_packages(environment)
    other = [
        f"{package} {have.get(package, 'absent')} instead of {version}"
        for package, version in sorted(locked.items())
        if have.get(package, "").partition("+")[0] != version
    ]
    if other:
        raise ReproError(f"{len(other)} packages differ from the lock: {'; '.join(other[:5])}", next_step="make setup")
    return f"{len(locked)} packages as locked, {name} {have[name]}"


def _canonical() -> str:
    with tempfile.TemporaryDirectory(prefix="repro-doctor-") as folder:
        task = {"task": "fitness", "framework": "torch"}
        told = run_child(find_stack("torch"), task, Caps(threads=1), Path(folder))
    if told["faults"]:
        raise ReproError(f"{told['version']} cannot hold here: {'; '.join(told['faults'])}")
    route = "compiled kernels" if told["compiled"] else "float64 products (no C compiler, or no x86-64)"
    return f"{told['version']} holds here: denormals, rounding, products and functions are right; by {route}"


def _expectations(shelf: Shelf) -> str:
    count = 0
    for system in systems():
        for path in sorted((shelf.expected / system / "digests").glob("*.json")):
            count += len(load_expectations(shelf.expected, system, path.stem).expectations)
    return f"{count} stored traces, all readable"
