"""A changed expectation in words: what is new, what moved and by how much, and why."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from repro.errors import UsageError
from repro.store.canonical import CanonicalDigest, CanonicalDigests, save_canonical
from repro.store.expectations import Expectation, Expectations, save_expectations
from repro.store.explain import explain_changes
from repro.trace import TraceEntry


def stored(folder: Path, *reasons: tuple[str, str]) -> None:
    """Store one model for each (digit, reason)."""
    made = [
        Expectation(
            model=f"model_{place}",
            probe="a probe",
            stack={"torch": "2"},
            reason=reason,
            recorded_by="Ada" if reason == "a new driver" else None,
            trace=(TraceEntry(name="forward/a", operation="Conv2d", dtype="float32", shape=(1,), digest=digit * 64),),
        )
        for place, (digit, reason) in enumerate(reasons)
    ]
    save_expectations(folder, Expectations(system="a-system", profile="a-class", expectations=tuple(made)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    expected = tmp_path / "expected_results"
    stored(expected, ("a", "first"), ("a", "first"))
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return expected


def test_nothing_changed_says_nothing(folder: Path) -> None:
    assert explain_changes(folder, "HEAD") == []


def test_what_changed_is_told_with_place_reason_and_name(folder: Path) -> None:
    stored(folder, ("b", "a new driver"), ("a", "said better"), ("c", "a third model"))
    changed, worded, added = explain_changes(folder, "HEAD")
    assert changed.startswith("a-system/model_0 on a-class, a probe, stack ")
    assert "changed: 0 of 1 tensors keep their bits, first difference: forward/a (Conv2d), no sketch" in changed
    assert changed.endswith("because: a new driver, by Ada")
    assert "the same bits, another reason; because: said better" in worded
    assert added.endswith("new, 1 tensors, because: a third model")


def test_canonical_digests_are_told_by_their_parts(folder: Path) -> None:
    def store(**digits: str) -> None:
        entry = CanonicalDigest(
            model="a_model",
            probe="a probe",
            arithmetic="canonical-1",
            digests={part: digit * 64 for part, digit in digits.items()},
            reason="a reason",
        )
        save_canonical(folder, CanonicalDigests(system="a-system", entries=(entry,)))

    store(forward="a", training="b")
    (new,) = explain_changes(folder, "HEAD")
    assert new == (
        "a-system/a_model in canonical-1 on every machine, a probe: new, forward, training, because: a reason"
    )
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["add", "."], [*identity, "commit", "-qm", "second"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    store(forward="a", training="c")
    (changed,) = explain_changes(folder, "HEAD")
    assert changed.endswith("changed: training; because: a reason")


def test_what_is_gone_is_told(folder: Path) -> None:
    next(folder.glob("*/digests/*.json")).unlink()
    assert all(line.endswith("no longer stored") for line in explain_changes(folder, "HEAD"))
    assert len(explain_changes(folder, "HEAD")) == 2


def test_a_revision_that_is_not_there(folder: Path) -> None:
    with pytest.raises(UsageError, match="rev-parse"):
        explain_changes(folder, "--upload-pack=evil")
