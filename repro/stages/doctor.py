"""Looks at all that the stages need before they need it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from repro.errors import ReproError
from repro.hardware.match import load_classes
from repro.paths import project_root
from repro.registry import systems
from repro.stages.judge import Shelf
from repro.stages.stacks import find_stack, installed_packages, stack_names
from repro.store.claims import load_claims, load_defects
from repro.store.expectations import load_expectations

_PIN = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    sound: bool
    told: str


def examine(shelf: Shelf) -> list[Finding]:
    """Return one finding for each stack and each kind of stored data, sound or not; raises nothing of its own."""
    findings = [_looked(f"stack {name}", lambda name=name: _stack(name)) for name in stack_names()]  # type: ignore[misc]
    findings.append(_looked("systems", lambda: f"{len(systems())} declared: {', '.join(systems())}"))
    findings.append(_looked("claims", lambda: f"{len(load_claims(shelf.expected))} published numbers"))
    findings.append(_looked("defects", lambda: f"{len(load_defects(shelf.expected))} known"))
    findings.append(_looked("profile classes", lambda: f"{len(load_classes(shelf.profiles))} stored"))
    findings.append(_looked("expectations", lambda: _expectations(shelf)))
    return findings


def _looked(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except ReproError as error:
        return Finding(subject, False, str(error))


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


def _expectations(shelf: Shelf) -> str:
    count = 0
    for system in systems():
        for path in sorted((shelf.expected / system / "digests").glob("*.json")):
            count += len(load_expectations(shelf.expected, system, path.stem).expectations)
    return f"{count} stored traces, all readable"
