"""What a change of the stored expectations says, in words: for whoever reviews it, and for CI."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from repro.compare.divergence import compare_traces
from repro.errors import BadInput, UsageError
from repro.schema import parse_json
from repro.store.canonical import CanonicalDigest, CanonicalDigests
from repro.store.expectations import Expectation, Expectations
from repro.trace import Trace

_NATIVE, _CANONICAL = "*/digests/*.json", "*/canonical.json"


def explain_changes(folder: Path, revision: str) -> list[str]:
    """Return a sentence for every stored trace that is not as it was in a revision.

    Args:
        folder: ``expected_results/``, inside a git working tree.
        revision: what to compare with: ``origin/main``, a commit.

    Raises:
        UsageError: there is no such revision, or the folder is in no git working tree.
        BadInput: a file of either side is damaged.
    """
    named = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").strip()
    before = _git(folder, "ls-tree", "-r", "--name-only", named, ".").split("\n")
    now = [path.relative_to(folder).as_posix() for path in (*folder.glob(_NATIVE), *folder.glob(_CANONICAL))]
    paths = sorted({*now, *(path for path in before if fnmatch(path, _NATIVE) or fnmatch(path, _CANONICAL))})
    lines: list[str] = []
    for path in paths:
        old = _git(folder, "show", f"{named}:./{path}") if path in before else None
        new = (folder / path).read_text(encoding="utf-8") if path in now else None
        if old != new and fnmatch(path, _CANONICAL):
            lines += _canonical_explained(_canonical(path, old), _canonical(path, new))
        elif old != new:
            lines += _explained(path, _stored(path, old), _stored(path, new))
    return lines


def _canonical_explained(old: CanonicalDigests | None, new: CanonicalDigests | None) -> Iterator[str]:
    before = {} if old is None else {one.key: one for one in old.entries}
    after = {} if new is None else {one.key: one for one in new.entries}
    either = new or old
    assert either is not None
    for key in sorted({*before, *after}):
        mine, other = after.get(key), before.get(key)
        shown = mine or other
        if mine == other or shown is None:
            continue
        subject = f"{either.system}/{shown.model} in {shown.arithmetic} on every machine, {shown.probe}"
        yield f"{subject}: {_canonical_said(other, mine)}"


def _canonical_said(before: CanonicalDigest | None, after: CanonicalDigest | None) -> str:
    if after is None:
        return "no longer stored"
    who = f", by {after.recorded_by}" if after.recorded_by else ""
    why = f"because: {after.reason}{who}"
    if before is None:
        return f"new, {', '.join(after.digests)}, {why}"
    parts = [
        part for part in {**before.digests, **after.digests} if before.digests.get(part) != after.digests.get(part)
    ]
    return f"changed: {', '.join(parts)}; {why}" if parts else f"the same bits, another reason; {why}"


def _canonical(path: str, text: str | None) -> CanonicalDigests | None:
    return None if text is None else CanonicalDigests.from_data(parse_json(text.encode(), path), path)


def _explained(path: str, old: Expectations | None, new: Expectations | None) -> Iterator[str]:
    before = {} if old is None else {one.key: one for one in old.expectations}
    after = {} if new is None else {one.key: one for one in new.expectations}
    either = new or old
    assert either is not None
    for key in sorted({*before, *after}):
        mine, other = after.get(key), before.get(key)
        if mine == other:
            continue
        shown = mine or other
        assert shown is not None
        subject = f"{either.system}/{shown.model} on {either.profile}, {shown.probe}, stack {json.dumps(shown.stack)}"
        yield f"{subject}: {_said(other, mine)}"


def _said(before: Expectation | None, after: Expectation | None) -> str:
    if after is None:
        return "no longer stored"
    who = f", by {after.recorded_by}" if after.recorded_by else ""
    why = f"because: {after.reason}{who}"
    if before is None:
        return f"new, {len(after.trace)} tensors, {why}"
    if before.trace == after.trace:
        return f"the same bits, another reason; {why}"
    comparison = compare_traces(Trace(entries=before.trace), Trace(entries=after.trace))
    kept = f"{comparison.agreeing} of {comparison.compared} tensors keep their bits"
    return f"changed: {kept}, {comparison.sentence()}; {why}"


def _stored(path: str, text: str | None) -> Expectations | None:
    return None if text is None else Expectations.from_data(parse_json(text.encode(), path), path)


def _git(folder: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, encoding="utf-8", check=False
        )
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{folder}: git cannot be asked: {error}") from error
    if ended.returncode:
        raise UsageError(
            f"git {arguments[0]} in {folder}: {ended.stderr.strip()}", next_step="name a commit or branch that is here"
        )
    return ended.stdout
