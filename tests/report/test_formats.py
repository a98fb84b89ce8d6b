"""The formats of a report: the same bytes for the same records, safe, and counted right."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from repro.report import Report, build_report, stored_records, verdict_table, write_report
from repro.report.junit import junit
from repro.report.markdown import escaped, markdown
from repro.report.plain import one_line
from repro.report.write import FORMATS
from repro.schema import Record, read_json
from repro.store.results import Results
from tests.report import made

HOSTILE = (
    "x | y <script>alert(1)</script> `code` *b* _i_ [a](http://b) ![i](u) \\| &amp; ~~s~~ $m$\n# head\x1b[31m\u202e"
)

RECORDS = made.named(
    made.etl(),
    made.fetch(),
    made.check_rep(),
    made.check_rep("unstable", isa="avx2"),
    made.check_rep("different", profile=made.GPU_PROFILE),
    made.evaluation(seeds=3),
    made.evaluation(2500, protocol=made.CORRECTED),
    made.evaluation(521, 700, checkpoint="e" * 64),
    made.blocked(),
)
CLAIMS = [
    made.claim(),
    made.claim("73.65", id="never"),
    made.claim("60.02", id="missed"),
    made.claim(id="lost", missing="it is lost", system="b-system"),
]
DEFECTS = [made.defect("A-KEPT", measured="three points"), made.defect("F-DATA", system="fer2013")]


def report(records: dict[str, Record] | None = None) -> Report:
    return build_report(RECORDS if records is None else records, CLAIMS, DEFECTS)


TEXTS = {suffix: make(report()) for suffix, make in FORMATS.items()}


@given(st.permutations(sorted(RECORDS)))
def test_the_order_of_records_changes_no_byte(names: list[str]) -> None:
    shuffled = report({name: RECORDS[name] for name in names})
    assert {suffix: make(shuffled) for suffix, make in FORMATS.items()} == TEXTS


@given(st.floats(0, 1e6), st.text())
def test_timing_changes_no_byte(seconds: float, written: str) -> None:
    timing = {"seconds": seconds, "written": written}
    retimed = report({name: one.model_copy(update={"timing": timing}) for name, one in RECORDS.items()})
    assert {suffix: make(retimed) for suffix, make in FORMATS.items()} == TEXTS


def test_no_format_tells_when() -> None:
    for text in TEXTS.values():
        assert "2001" not in text
        assert "1.5" not in text


def test_markdown_gives_the_answer_first() -> None:
    lines = TEXTS["md"].splitlines()
    assert lines[0] == "# Do the numbers come out on this machine?"
    assert lines[2].startswith("**No.** Of 6 checks of bits: 1 identical to what is stored, ")
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == [
        "## Bits",
        "## What could not run",
        "## Measurements",
        "## Classes",
        "## Published numbers",
        "## Defects of the published code and data named above",
        "## Evidence",
    ]
    assert "| **unstable**" in TEXTS["md"]
    assert "| **different**" in TEXTS["md"]


def rows(text: str, heading: str) -> list[list[str]]:
    """Return a section's table as a Markdown reader sees it: rows of cells."""
    section = text.partition(f"{heading}\n")[2].partition("\n## ")[0]
    tokens = MarkdownIt("commonmark").enable("table").parse(section)
    cells: list[list[str]] = []
    for token, content in pairwise(tokens):
        if token.type == "tr_open":
            cells.append([])
        if token.type in ("td_open", "th_open"):
            cells[-1].append("".join(child.content for child in content.children or ()))
    return cells


def test_markdown_tables_hold_every_row() -> None:
    assert [row[0] for row in rows(TEXTS["md"], "## Bits")[1:]] == [one.verdict for one in report().bits]
    table = rows(TEXTS["md"], "## Published numbers")
    assert [row[1] for row in table if row[0] != "verdict"] == [row.id for row in report().claims]
    assert [row[:2] for row in rows(TEXTS["md"], "## Evidence")[1:]] == [
        [one.record, one.digest] for one in report().evidence
    ]


def visible(text: str) -> str:
    """Return what a reader sees of a paragraph, and fail where anything in it is markup."""
    (_, inline, _) = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    return "".join(child.content for child in inline.children or ())


def test_hostile_text_shows_as_it_is() -> None:
    seen = HOSTILE.replace("\n", " ").replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")
    assert visible(f"text {escaped(HOSTILE)}") == f"text {seen}"


@given(st.text(max_size=40) | st.text("_*`a0.&<[]()\\~$ ", max_size=12))
@example("__0__")
@example("a__b")
def test_any_text_shows_as_text(text: str) -> None:
    assert visible(f"text {escaped(text)}.") == f"text {one_line(text)}."


@given(st.text(st.characters(codec=None), max_size=40))
def test_one_line_leaves_visible_characters_and_single_blanks(text: str) -> None:
    line = one_line(text)
    assert line == " ".join(line.split())
    assert not {unicodedata.category(char) for char in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    for before, after in zip("".join(text.split()), line.replace(" ", ""), strict=True):
        assert after in (before, "\ufffd")
        assert after == before or not (before.isascii() and before.isprintable())
    element = ElementTree.Element("a", b=line)
    assert ElementTree.fromstring(ElementTree.tostring(element)).attrib["b"] == line


def hostile_report() -> Report:
    blocked = made.blocked(HOSTILE, HOSTILE)
    check = made.check_rep("different")
    check = check.model_copy(
        update={
            "parameters": {**check.parameters, "data": HOSTILE},
            "result": {**check.result, "bits": {"sentence": HOSTILE}},
        }
    )
    evaluation = made.evaluation(checkpoint="e" * 64, isa=HOSTILE)
    return build_report(made.named(blocked, check, evaluation, made.etl(HOSTILE)), [made.claim(source=HOSTILE)])


def test_an_injection_breaks_no_table_and_brings_no_markup() -> None:
    text = markdown(hostile_report())
    assert "<script" not in text
    assert "\x1b" not in text
    for heading, columns in (("## Bits", 8), ("## What could not run", 5), ("## Measurements", 11)):
        table = rows(text, heading)
        assert len(table) >= 2
        assert {len(row) for row in table} == {columns}
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)
    assert not re.search(r"<(script|a|img|s)\b", html)
    assert re.findall(r"<code>(.*?)</code>", html) == ["repro record"]
    assert html.count("<h1>") == 1


def test_an_injection_leaves_junit_readable() -> None:
    root = ElementTree.fromstring(junit(hostile_report()))
    (failure,) = root.iter("failure")
    assert "<script>alert(1)</script>" in failure.attrib["message"]
    assert "\x1b" not in "".join(root.itertext())


def test_junit_counts_and_classes_agree() -> None:
    root = ElementTree.fromstring(TEXTS["xml"])
    made_of = report()
    expected = {
        "tests": len(made_of.bits) + len(made_of.blocked) + len(made_of.claims),
        "failures": 3,  # unstable, different, and the claim of 60.02
        "skipped": 3 + 1 + 2,  # unrecorded evaluations, the blocked stage, claims unattainable and lost
        "errors": 0,
    }
    assert {name: int(root.attrib[name]) for name in expected} == expected
    for suite in root:
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            assert int(suite.attrib[name]) == len(list(suite.iter(tag)))
    assert sum(int(suite.attrib["tests"]) for suite in root) == expected["tests"]
    assert {suite.attrib["name"] for suite in root} == {
        "check-rep a-system",
        "claims a-system",
        "claims b-system",
        "eval a-system",
        "eval b-system",
    }
    names = [(case.attrib["classname"], case.attrib["name"]) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_junit_fails_contradictions_with_their_sentence_and_skips_with_the_reason() -> None:
    root = ElementTree.fromstring(TEXTS["xml"])
    failures = {failure.attrib["type"]: failure.attrib["message"] for failure in root.iter("failure")}
    assert set(failures) == {"different", "unstable", "not reproduced"}
    assert "forward/conv2" in failures["different"]
    assert "outside the 95 % interval" in failures["not reproduced"]
    skipped = [one.attrib["message"] for one in root.iter("skipped")]
    assert "blocked: no checkpoint at model.pt. Next: get it" in skipped
    assert "blocked: it is lost; printed" not in skipped
    assert any(one.startswith("unattainable: no count of 3589 gives 73.65") for one in skipped)


def test_the_terminal_table_is_safe_and_in_order() -> None:
    text = verdict_table(
        [made.check_rep("unstable", isa="avx2"), made.etl(), made.blocked(f"gone\x1b[2J {'far ' * 40}")]
    )
    lines = text.splitlines()
    assert lines[0].split() == ["model", "stage", "data", "on", "verdict"]
    assert re.split(r" {2,}", lines[2]) == ["a-system/a_model", "check-rep", "embedded", "cpu up to avx2", "unstable"]
    assert lines[3] == "  first difference: forward/conv2 (Conv2d), 3 of 64 values, at most 1 ulp"
    assert [line.split()[0] for line in lines if re.match(r"\S", line)][2:] == ["a-system/a_model", "b-system/b_model"]
    assert "\x1b" not in text
    assert max(map(len, lines)) <= 80
    assert "complete" not in text


def test_write_report_writes_every_format_atomically(tmp_path: Path) -> None:
    paths = write_report(report(), tmp_path / "report")
    assert {suffix: path.read_text(encoding="utf-8") for suffix, path in paths.items()} == TEXTS
    names = sorted(path.name for path in (tmp_path / "report").iterdir())
    assert names == ["report.html", "report.json", "report.md", "report.xml"]
    assert Report.read(paths["json"]) == report()
    assert read_json(paths["json"])["schema"] == "repro-report/1"


def test_a_format_that_fails_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(report(), tmp_path)

    def broken(_: Report) -> str:
        raise RuntimeError("no")

    monkeypatch.setattr("repro.report.write.FORMATS", {**FORMATS, "xml": broken})
    with pytest.raises(RuntimeError):
        write_report(build_report({}), tmp_path)
    assert Report.read(tmp_path / "report.json") == report()


def test_records_come_from_a_results_folder_by_relative_name(tmp_path: Path) -> None:
    store = Results(tmp_path / "results")
    place = store.record_path("check-rep", "a-system", "a_model", {"asked": 1})
    store.save_record(place, made.check_rep())
    (place.parent / f".{place.name}.killed.partial").write_text("{", encoding="utf-8")
    found = stored_records(store)
    assert found == {f"records/check-rep/a-system/{place.name}": made.check_rep()}
    assert str(tmp_path) not in build_report(found).to_json()
    assert stored_records(Results(tmp_path / "nowhere")) == {}


def test_the_terminal_table_tells_what_was_evaluated() -> None:
    lines = verdict_table([made.evaluation()]).splitlines()
    assert lines[3:] == ["  test, as-published, model.pt", "  nothing is stored"]
