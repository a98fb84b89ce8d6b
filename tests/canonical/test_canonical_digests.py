"""Canonical digests on the shelf: one for all machines, and a difference is a contradiction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.errors import BadInput
from repro.schema import BitVerdict
from repro.stages.judge_canonical import judge_canonical
from repro.store.canonical import (
    CanonicalDigest,
    CanonicalDigests,
    canonical_path,
    load_canonical,
    part_digests,
    save_canonical,
)
from repro.trace import Trace, trace_tensor

PARTS = {"forward/input": "input", "forward/conv": "Conv2d", "step1/labels": "labels", "step1/loss": "loss"}


def trace(value: float = 0.0, changed: str = "") -> Trace:
    entries = []
    for name, operation in PARTS.items():
        values = np.full(3, value if name == changed else 1.0, np.float32)
        entries.append(trace_tensor(name, values, operation))
    return Trace.from_entries(entries)


def stored(folder: Path) -> None:
    one = CanonicalDigest(
        model="net", probe="p", arithmetic="canonical-1", digests=part_digests(trace()), reason="a test"
    )
    save_canonical(folder, CanonicalDigests(system="some").with_added(one))


def judged(folder: Path, found: Trace, arithmetic: str = "canonical-1") -> tuple[BitVerdict, str]:
    asked = {"system": "some", "model": "net", "probe": "p", "arithmetic": arithmetic}
    verdict, told, _ = judge_canonical(found, expected=folder, **asked)
    return verdict, told["sentence"]


def test_a_trace_has_one_digest_for_each_part() -> None:
    assert list(part_digests(trace())) == ["input", "forward", "training"]


def test_the_same_bits_are_identical(tmp_path: Path) -> None:
    stored(tmp_path)
    assert judged(tmp_path, trace())[0] == BitVerdict.IDENTICAL


@pytest.mark.parametrize(
    ("changed", "part"), [("forward/conv", "forward"), ("step1/loss", "training"), ("forward/input", "input")]
)
def test_another_bit_is_different_and_its_part_is_named(tmp_path: Path, changed: str, part: str) -> None:
    stored(tmp_path)
    verdict, sentence = judged(tmp_path, trace(np.nextafter(np.float32(1), np.float32(2)), changed))
    assert verdict == BitVerdict.DIFFERENT
    assert sentence.startswith(f"{part} has digest")
    assert ("what was fed differs" in sentence) == (part == "input")


def test_another_version_is_another_key(tmp_path: Path) -> None:
    stored(tmp_path)
    assert judged(tmp_path, trace(), "canonical-2")[0] == BitVerdict.UNRECORDED


def test_a_file_of_another_system_is_refused(tmp_path: Path) -> None:
    stored(tmp_path)
    target = canonical_path(tmp_path, "other")
    target.parent.mkdir()
    target.write_bytes(canonical_path(tmp_path, "some").read_bytes())
    with pytest.raises(BadInput, match="holds some; expected other"):
        load_canonical(tmp_path, "other")


def test_the_readme_shows_what_is_stored(root: Path) -> None:
    """The table between its marks has a row for every stored check, made from the files."""
    text = (root / "README.md").read_text(encoding="utf-8")
    shown = text.split("<!-- canonical digests -->\n")[1].split("<!-- end -->")[0]
    rows = ["| model | forward | training |", "| --- | --- | --- |"]
    for path in sorted((root / "expected_results").glob("*/canonical.json")):
        for one in load_canonical(root / "expected_results", path.parent.name).entries:
            found = [f"`{one.digests[part][:16]}`" if part in one.digests else "" for part in ("forward", "training")]
            rows.append(f"| {path.parent.name}/{one.model} | {' | '.join(found)} |")
    assert shown == "\n".join(rows) + "\n", "put this between the marks:\n" + "\n".join(rows)
