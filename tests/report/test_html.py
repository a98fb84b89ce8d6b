"""The HTML report: complete, harmless, the same bytes each time; and the published schema of the JSON."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema

from repro.report import build_report, exit_code
from repro.report.html import html
from repro.report.junit import junit
from repro.report.markdown import markdown
from repro.report.model import Answer, Report
from repro.report.strip import strip_of
from repro.schema import pretty_json, read_json
from repro.trace import Trace, TraceEntry
from tests.report import made
from tests.report.test_formats import RECORDS, TEXTS, report

ROOT = Path(__file__).parents[2]
SCRIPT = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'><b>"


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_it_needs_nothing_from_elsewhere() -> None:
    page = Page(TEXTS["html"])
    for tag, attributes in page.tags:
        assert not (attributes.get("src") or "").strip(), tag
        href = attributes.get("href")
        assert href is None or href.startswith(("#", "data:,")), href
    assert "@import" not in TEXTS["html"]
    assert "url(" not in TEXTS["html"]


def test_every_link_has_its_place_and_every_place_one_name() -> None:
    page = Page(TEXTS["html"])
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    links = {attributes["href"] for tag, attributes in page.tags if tag == "a"}
    assert {link[1:] for link in links if link} <= set(names)


def test_every_measured_claim_links_to_its_records() -> None:
    for row in report().claims:
        line = re.search(rf'<tr id="claim-{row.id}">.*?</tr>', TEXTS["html"], re.S)
        assert line is not None
        assert line[0].count('class="evidence"') == len(row.measurements)


def test_text_from_records_is_shown_and_never_obeyed() -> None:
    hostile = made.check_rep("different", system=SCRIPT, model=SCRIPT)
    result = {**hostile.result, "bits": {"sentence": SCRIPT, "profile_class": SCRIPT}}
    records = made.named(
        hostile.model_copy(update={"result": result, "stage": SCRIPT, "switches": {SCRIPT: SCRIPT}}),
        made.evaluation(data=SCRIPT, checkpoint="c" * 64, device=SCRIPT),
        made.blocked(SCRIPT, f"make {SCRIPT}"),
        made.etl(SCRIPT),
    )
    claims = [made.claim(note=SCRIPT, source=SCRIPT)]
    defects = [made.defect("A-KEPT", summary=SCRIPT, measured=SCRIPT)]
    page = Page(html(build_report(records, claims, defects)))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not {"img", "b"} & {tag for tag, _ in page.tags if tag == "img"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def entry(name: str) -> TraceEntry:
    return TraceEntry(name=name, operation="Conv2d", dtype="float32", shape=(1,), digest="a" * 64)


def test_a_strip_is_green_until_the_first_divergence() -> None:
    names = ["forward/a", "forward/b", "forward/c", "step1/d", "step1/e"]
    strip = strip_of(Trace.from_entries([entry(name) for name in names]), "different", {"forward/c": 1, "step1/d": 9})
    assert [(one.phase, one.state, one.tensors) for one in strip.segments] == [
        ("forward", "same", 2),
        ("forward", "different", 1),
        ("step1", "different", 1),
        ("step1", "same", 1),
    ]
    assert [(one.place, one.name, one.ulps) for one in strip.distances] == [(2, "forward/c", 1), (3, "step1/d", 9)]


def test_markdown_draws_the_strip_in_a_line() -> None:
    names = [f"forward/{number:03}" for number in range(120)]
    trace = Trace.from_entries([entry(name) for name in names])
    digest = trace.digest()
    record = made.check_rep("different")
    told = {"sentence": "first difference", "comparison": {"distances": [{"name": "forward/061", "max_ulps": 3}]}}
    record = record.model_copy(
        update={"outputs": {"trace": digest}, "result": {**record.result, "bits": {**record.result["bits"], **told}}}
    )
    text = markdown(build_report(made.named(record), traces={digest: trace}))
    assert f"`{'=' * 30}~{'=' * 29}`" in text
    assert "tensor 62, forward/061, at most 3 ulps" in text


def test_a_strip_of_a_long_trace_stays_small_and_keeps_the_farthest() -> None:
    names = [f"step/{number}" for number in range(5000)]
    strip = strip_of(
        Trace.from_entries([entry(name) for name in names]),
        "different",
        {name: place for place, name in enumerate(names)},
    )
    assert len(strip.distances) <= 241
    assert strip.distances[-1].ulps == 4999


def test_a_training_tells_its_numbers_and_draws_its_curves() -> None:
    built = build_report({**RECORDS, **made.named(made.training())})
    assert [(one.run, one.quantity, len(one.points)) for one in built.curves] == [("seed 4", "loss", 3)]
    shown = {"html": html(built), "markdown": markdown(built), "junit": junit(built)}
    assert "polyline" in shown["html"]
    for text in shown.values():
        assert "epochs 3 instead of 100" in text
    for name in ("html", "markdown"):
        assert "as published, chosen on the test set" in shown[name]
        assert "2600 of 3589" in shown[name]
        assert "printed 74.42 %; 1 seed" in shown[name]
    assert "Of 1 training anew: 1 not judged: modified." in built.headline


def test_a_training_that_failed_is_told_and_says_nothing_of_the_number() -> None:
    record = made.training("failed")
    failed = {"message": "seed 4: the loss of step 91 is nan; the first tensor that is not finite is forward/a"}
    run = {**record.result["runs"][0], "failed": failed, "selections": {}}
    spread = {"best": {}, "honest": {}}
    record = record.model_copy(update={"result": {**record.result, "runs": [run], "spread": spread, "claims": []}})
    built = build_report(made.named(record))
    assert built.answer is Answer.UNKNOWN
    assert "Of 1 training anew: 1 failed." in built.headline
    assert exit_code([record]) == 1
    for text in (html(built), markdown(built), junit(built)):
        assert "seed 4: the loss of step 91 is nan" in text
    assert 'type="failed"' in junit(built)


def test_a_claim_that_training_contradicts_is_a_contradiction() -> None:
    built = build_report({**RECORDS, **made.named(made.training("not reproduced"))})
    assert built.answer is Answer.NO
    assert 'type="not reproduced"' in junit(built)


def test_the_json_is_what_the_published_schema_says() -> None:
    published = read_json(ROOT / "docs" / "schema" / "repro-report-1.json")
    assert pretty_json(published) == pretty_json(Report.json_schema()), "write it anew: repro report --schema"
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(report().to_data(), published)
