"""A report in a terminal of 80 columns: the answer first, contradictions before what agrees, nothing that obeys."""

from __future__ import annotations

from repro.report import Report, build_report
from repro.report.terminal import report_text
from tests.report import made
from tests.report.test_formats import CLAIMS, DEFECTS, HOSTILE, RECORDS, report


def test_the_answer_comes_first_and_everything_fits() -> None:
    text = report_text(report())
    lines = text.split("\n")
    assert lines[2].startswith("No.")
    assert max(map(len, lines)) <= 80
    verdicts = [line.split()[0] for line in lines if line.startswith(("different", "unstable", "identical"))]
    assert verdicts == [row.verdict for row in report().bits if row.verdict in ("different", "unstable")]
    assert text.index("not reproduced  ") < text.index("\nreproduced")
    assert "get it" in text


def test_what_agrees_is_short() -> None:
    text = report_text(build_report(made.named(made.check_rep()), CLAIMS, DEFECTS))
    assert "Bits that are not" not in text
    assert "Published numbers: 0 of 4 measured" in text
    assert len(text.split("\n")) < 12
    assert report_text(build_report({})).startswith("Do the numbers")


def test_what_a_record_holds_stays_on_its_line() -> None:
    hostile = made.named(made.blocked(HOSTILE, HOSTILE))
    built: Report = build_report({**RECORDS, **hostile}, CLAIMS, DEFECTS)
    text = report_text(built)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert max(map(len, text.split("\n"))) <= 80
