"""Claims and defects as they are stored, and against the facts that they were taken from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from repro.compare.claims import claim_counts
from repro.compare.counts import Attainability
from repro.errors import BadInput, MissingFile, SchemaTooNew
from repro.schema import Claim, DefectMark
from repro.store.claims import load_claims, load_defects

CLAIM = """
[[claim]]
id = "{id}"
metric = "top-1 accuracy"
value = "74.42"
unit = "%"
n = 3589
tta = "false"
kind = "upstream"
source = "a table"
"""
HEAD = 'schema = "repro-claims/1"\n'


@pytest.fixture(scope="session")
def expected(root: Path) -> Path:
    return root / "expected_results"


@pytest.fixture(scope="session")
def facts(shared: Path) -> dict[str, dict[str, Any]]:
    text = (shared / "facts" / "claims.toml").read_bytes().decode("utf-8")
    return {fact["id"]: fact for fact in tomllib.loads(text)["claim"]}


@pytest.fixture(scope="session")
def carried_over(expected: Path, facts: dict[str, dict[str, Any]]) -> list[Claim]:
    """Return the claims of the systems that the facts are about."""
    systems = {fact["system"] for fact in facts.values()}
    return [claim for claim in load_claims(expected) if claim.system in systems]


def put(folder: Path, system: str, text: str, name: str = "claims.toml") -> Path:
    path = folder / system / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_stored_claims_are_read_in_order(expected: Path) -> None:
    claims = load_claims(expected)
    systems = [claim.system for claim in claims]
    assert systems == sorted(systems)
    for system in set(systems):
        written = re.findall(r'^id = "(.+)"$', (expected / system / "claims.toml").read_text("utf-8"), re.M)
        assert [claim.id for claim in claims if claim.system == system] == written


def test_links_come_together(expected: Path) -> None:
    for claim in load_claims(expected):
        assert (claim.protocol is None) == (claim.split_name is None), claim.id
        assert claim.protocol is None or claim.model_name is not None, claim.id


def test_model_names_are_those_of_the_contracts(carried_over: list[Claim], shared: Path) -> None:
    for claim in carried_over:
        if claim.dataset == "ImageNet-1k":
            continue  # no contract has these heads
        contract = (shared / "contracts" / f"{claim.system}.json").read_text("utf-8")
        assert claim.model_name is None or f'"{claim.system}/{claim.model_name}"' in contract, claim.id


def test_every_fact_is_carried_over(carried_over: list[Claim], facts: dict[str, dict[str, Any]]) -> None:
    claims = carried_over
    for system in {claim.system for claim in claims}:
        stored = [claim.id for claim in claims if claim.system == system]
        assert stored == [name for name, fact in facts.items() if fact["system"] == system]
    same = ("system", "model", "dataset", "split", "n", "metric", "value", "unit", "tta", "kind")
    assert len(claims) == len(facts)
    for claim in claims:
        fact = facts[claim.id]
        assert {name: getattr(claim, name) for name in same} == {name: fact.get(name) for name in same}
        assert fact.get("artifact") in (None, claim.artifact), claim.id
        assert claim.per_class is None or figures(str(claim.per_class)) <= figures(fact["note"])
        if claim.kind == "upstream":
            assert claim.source == fact["source"]
        # What the facts derive from value and n ("GRIM: ...") is computed here, but for one other n.
        before, _, derived = fact.get("note", "").partition("GRIM:")
        assert figures(before) <= figures(claim.note) <= figures(before + derived), claim.id


def figures(text: str) -> set[str]:
    """The numbers in a text."""
    return set(re.findall(r"\d+(?:\.\d+)*", text))


def test_computed_counts_and_verdicts_are_those_of_the_facts(
    carried_over: list[Claim], facts: dict[str, dict[str, Any]]
) -> None:
    compared = 0
    for claim in carried_over:
        fact = facts[claim.id]
        assert claim.is_share == ("grim" in fact) == ("correct_count" in fact), claim.id
        if not claim.is_share:
            continue
        counts = claim_counts(claim)
        assert counts is not None
        assert list(counts.rounded) == fact_counts(fact["correct_count"]), claim.id
        grim = "unattainable" if counts.attainability is Attainability.CUT_ONLY else counts.attainability
        assert grim == fact["grim"], claim.id
        cut = re.search(r"truncating (\d+)/\d+ would print it", fact["note"])
        if counts.attainability in (Attainability.CUT_ONLY, Attainability.UNATTAINABLE):
            assert list(counts.cut) == ([int(cut[1])] if cut else []), claim.id
        compared += 1
    assert compared == sum("grim" in fact for fact in facts.values())


def fact_counts(text: str) -> list[int]:
    if text == "none":
        return []
    if ".." in text:
        first, last = map(int, text.split(".."))
        return list(range(first, last + 1))
    return [int(count) for count in text.split(",")]


def test_claims_of_unpublished_code_are_marked(expected: Path) -> None:
    other = {claim.id for claim in load_claims(expected) if not claim.authors_code}
    assert other == {f"deep-emotion-paper-{name}" for name in ("fer2013", "ck-plus", "ferg", "jaffe")}


def test_stored_defects(expected: Path) -> None:
    defects = load_defects(expected)
    homes = {"F": "fer2013", "L": "lhc-net", "P": "poster", "R": "rmn", "D": "deep-emotion"}
    assert all(defect.system == homes[defect.id[0]] for defect in defects)
    assert {mark for defect in defects for mark in defect.marks} == set(DefectMark)


def test_every_defect_is_carried_over(expected: Path, shared: Path) -> None:
    text = (shared / "facts" / "defects.md").read_text(encoding="utf-8")
    facts = dict(re.findall(r"^\*\*([A-Z]-[A-Z0-9]+) \[([NRBD])\]", text, re.M))
    stored = {defect.id: "".join(defect.marks) for defect in load_defects(expected)}
    assert stored == facts
    paragraphs = {match[1]: match[0] for match in re.finditer(r"^\*\*([A-Z]-[A-Z0-9]+) .*$", text, re.M)}
    for defect in load_defects(expected):
        prose = f"{defect.summary} {defect.measured or ''}"
        assert free_figures(prose) <= free_figures(paragraphs[defect.id]), defect.id


def free_figures(text: str) -> set[str]:
    """The numbers in a text, but for those inside names such as FER2013."""
    return set(re.findall(r"(?<![\w^])(?<!\d\.)\d+(?:[.,]\d+)*", text))


def test_systems_are_sorted_and_files_keep_their_order(tmp_path: Path) -> None:
    put(tmp_path, "zebra", HEAD + CLAIM.format(id="a"))
    put(tmp_path, "ant", HEAD + CLAIM.format(id="z") + CLAIM.format(id="b"))
    assert [(claim.system, claim.id) for claim in load_claims(tmp_path)] == [
        ("ant", "z"),
        ("ant", "b"),
        ("zebra", "a"),
    ]


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"no claims\.toml in any folder of"):
        load_claims(tmp_path)
    with pytest.raises(MissingFile, match=r"no defects\.toml in any folder of"):
        load_defects(tmp_path / "absent")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("value = ", "valeu = "), r"claim x: value: Field required"),
        (('"74.42"', "74.42"), r"claim x: value: Input should be a valid string"),
        (('"74.42"', '"74,42"'), r"claim x: value: String should match"),
        (("n = 3589", 'n = "3589"'), r"claim x: n: Input should be a valid integer"),
        (("n = 3589", "n = 0"), r"claim x: n: Input should be greater than 0"),
        (('unit = "%"', 'unit = "s"'), r"claim x: fields: Value error, unit 's'"),
        (('tta = "false"', "tta = false"), r"claim x: tta: Input should be"),
        (('"upstream"', '"rumour"'), r"claim x: kind: Input should be"),
        (("n = 3589", "n = 3589\ncorrect_count = 2671"), r"claim x: correct_count: Extra inputs"),
        (("n = 3589", 'n = 3589\nauthors_code = "no"'), r"claim x: authors_code: Input should be a valid b"),
        (("n = 3589", 'n = 3589\nsystem = "rmn"'), r"claim x: system: the folder says it, ant"),
        (('id = "x"', ""), r"claim number 1: id: Field required"),
        (('id = "x"', 'id = "X x"'), r"claim X x: id: String should match"),
        (('"a table"', '"a table'), r"line \d+"),
        (('id = "x"', 'id = "x"\nid = "y"'), r"line \d+"),
        (("repro-claims/1", "repro-record/1"), r"expected schema repro-claims/1, found 'repro-record/1'"),
        ((HEAD, ""), r"found no schema line"),
        (("[[claim]]", "[[claims]]"), r"claim: Field required"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = HEAD + CLAIM.format(id="x")
    assert change[0] in text
    path = put(tmp_path, "ant", text.replace(*change))
    with pytest.raises(BadInput, match=message) as caught:
        load_claims(tmp_path)
    assert str(path) in str(caught.value)


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "ant", 'schema = "repro-claims/2"\n' + CLAIM.format(id="x"))
    with pytest.raises(SchemaTooNew, match="reads up to 1"):
        load_claims(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    put(tmp_path, "ant", "").write_bytes(b"schema = \xff")
    with pytest.raises(BadInput, match="not UTF-8 at byte 9"):
        load_claims(tmp_path)


def test_an_id_is_used_once_among_all_systems(tmp_path: Path) -> None:
    first = put(tmp_path, "ant", HEAD + CLAIM.format(id="x"))
    second = put(tmp_path, "bee", HEAD + CLAIM.format(id="x"))
    with pytest.raises(BadInput, match="ids are unique") as caught:
        load_claims(tmp_path)
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_a_defect_needs_a_mark(tmp_path: Path) -> None:
    text = 'schema = "repro-defects/1"\n[[defect]]\nid = "A-B"\ntitle = "t"\nsummary = "s"\nmarks = {}\n'
    path = put(tmp_path, "ant", text.format('["N", "R"]'), "defects.toml")
    (defect,) = load_defects(tmp_path)
    assert defect.marks == (DefectMark.NUMBER, DefectMark.UNREPEATABLE)
    for marks in ("[]", '["X"]'):
        path.write_text(text.format(marks), encoding="utf-8")
        with pytest.raises(BadInput, match="defect A-B: marks"):
            load_defects(tmp_path)


@pytest.mark.parametrize(
    ("metric", "n", "share", "count"),
    [
        ("top-1 accuracy (best epoch)", 10, True, True),
        ("recall", None, False, False),
        ("correctly classified images", 10, False, True),
        ("parameters", 10, False, False),
    ],
)
def test_which_claims_stand_for_counts(metric: str, n: int | None, share: bool, count: bool) -> None:
    unit = "images" if metric.startswith("correctly") else "%"
    claim = Claim(
        id="x", system="ant", metric=metric, value="5.10", unit=unit, n=n, tta="false", kind="seed", source="s"
    )
    assert (claim.is_share, claim.is_count, claim.decimals) == (share, count, 2)
