"""What the verbs print fits a terminal of 80 columns."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from repro.cli import app
from repro.report.plain import narrow


@pytest.mark.parametrize("verb", [["claims"], ["claims", "--defects"]])
def test_lists_of_claims_and_defects_fit(verb: list[str]) -> None:
    ended = CliRunner().invoke(app, verb)
    assert ended.exit_code == 0
    lines = ended.stdout.splitlines()
    assert len(lines) > 100
    assert max(map(len, lines)) <= 80


def test_what_is_long_stands_below_its_row() -> None:
    text = narrow(["model", "verdict"], [["a/b", "new"], ["c", "x\n"]], [["word " * 40, ""], []])
    head, line, first, *rest = text.split("\n")
    assert (head.split(), first.split()) == (["model", "verdict"], ["a/b", "new"])
    assert set(line) == {"-", " "}
    assert rest[-1].split() == ["c", "x"]
    assert all(one.startswith("  word") and len(one) <= 80 for one in rest[:-1])
