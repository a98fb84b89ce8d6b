"""The stage and the command: records, exit codes, pins, and what the report makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from repro.errors import Contradiction, MissingFile, Unavailable
from repro.report.build import build_report
from repro.report.reading import stored_records
from repro.schema import Artifact, Record
from repro.stages.fetch import declared, fetch, pin
from repro.store.artifacts import load_pins, with_pins
from repro.store.claims import load_claims
from repro.store.results import Results
from tests.command import Place
from tests.fetch.conftest import QUICK, artifact
from tests.fetch.server import CONTENT, SHA256, Misbehaving


def named(one: Artifact, name: str) -> Artifact:
    return one.model_copy(update={"id": name})


def run(tmp_path: Path, *artifacts: Artifact, jobs: int = 4) -> list[Record | None]:
    found = fetch(artifacts, cache=tmp_path / "cache", results=tmp_path / "results", settings=QUICK, jobs=jobs)
    return [one.record for one in found]


def test_a_record_for_each(server: Misbehaving, tmp_path: Path) -> None:
    good = artifact(server.url("good"))
    missing = named(artifact(server.url("missing")), "b-model")
    wrong = named(artifact(server.url("wrong")), "c-model")

    fetched = fetch([good, missing, wrong], cache=tmp_path / "cache", results=tmp_path / "results", settings=QUICK)

    first, second, third = fetched
    assert first.record is not None
    assert first.error is None
    assert first.record.parameters["artifact"] == "a-model"
    assert first.record.outputs == {"model.bin": blake3(CONTENT).hexdigest()}
    assert first.record.result["files"][0]["basis"] == "stated"
    assert first.record.verdict == "complete"
    assert first.paths["model.bin"].read_bytes() == CONTENT
    assert second.record is not None
    assert second.record.verdict == "blocked"
    assert isinstance(second.error, Unavailable)
    assert isinstance(third.error, Contradiction)
    assert third.record is None
    assert third.paths == {}
    stored = stored_records(Results(tmp_path / "results"))
    assert sorted(record.parameters["artifact"] for record in stored.values()) == ["a-model", "b-model"]
    assert str(tmp_path) not in "".join(record.to_json() for record in stored.values())


def test_a_blocked_record_goes_away(server: Misbehaving, tmp_path: Path) -> None:
    one = artifact(server.url("missing"))
    assert [record and record.verdict for record in run(tmp_path, one)] == ["blocked"]

    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "model.bin").write_bytes(CONTENT)
    fetch([one], cache=tmp_path / "cache", results=tmp_path / "results", settings=replace(QUICK, mirror=str(mirror)))

    assert [record.verdict for record in stored_records(Results(tmp_path / "results")).values()] == ["complete"]


def test_many_at_once_are_as_one_after_another(server: Misbehaving, tmp_path: Path) -> None:
    artifacts = [named(artifact(server.url(f"good/{n}")), f"m-{n}") for n in range(12)]

    alone = run(tmp_path / "alone", *artifacts, jobs=1)
    together = run(tmp_path / "together", *artifacts, jobs=8)

    assert [one and one.compared() for one in alone] == [one and one.compared() for one in together]


def test_several_files_are_all_there_or_it_is_blocked(server: Misbehaving, tmp_path: Path) -> None:
    files = [{"name": "a/one", "urls": [server.url("good")]}, {"name": "two", "urls": [server.url("missing")]}]
    fields = {"id": "x", "system": "a-system", "kind": "checkpoint", "host": "other"}
    both = Artifact.model_validate({**fields, "file": files})

    (record,) = run(tmp_path, both)

    assert record is not None
    assert record.verdict == "blocked"
    assert "two could not be had" in record.result["blocked"]["message"]
    files[1]["urls"] = [server.url("good")]
    (record,) = run(tmp_path, Artifact.model_validate({**fields, "file": files}))
    assert record is not None
    assert list(record.outputs) == ["a/one", "two"]
    assert len([path for path, _ in server.asked if path == "/good"]) == 2


def test_the_first_one_seen_is_pinned_on_request(server: Misbehaving, tmp_path: Path) -> None:
    unknown = artifact(server.url("good"), sha256=None)
    seen = fetch([unknown], cache=tmp_path / "cache", results=tmp_path / "results", settings=QUICK)
    assert seen[0].record is not None
    assert seen[0].record.result["files"][0]["basis"] == "first seen"

    assert pin(seen, tmp_path) == [tmp_path / "a-system" / "pins.toml"]

    pinned = with_pins(unknown, load_pins(tmp_path))
    assert pinned.files[0].sha256 == SHA256
    changed = with_pins(artifact(server.url("wrong"), sha256=None), load_pins(tmp_path))
    (found,) = fetch([changed], cache=tmp_path / "other", results=tmp_path / "results", settings=QUICK)
    assert isinstance(found.error, Contradiction)
    assert pin([found], tmp_path) == []


def test_the_report_blocks_the_numbers_of_what_is_missing(root: Path, tmp_path: Path) -> None:
    artifacts = [one for one in declared() if one.kind == "checkpoint"]
    offline = replace(QUICK, offline=True)

    fetch(artifacts, cache=tmp_path / "cache", results=tmp_path / "results", settings=offline)

    claims = load_claims(root / "expected_results")
    report = build_report(stored_records(Results(tmp_path / "results")), claims)
    asked = {one.id for one in artifacts}
    rows = [row for row in report.claims if row.artifact in asked and row.protocol != "paper"]
    assert len(rows) > 20
    assert {row.verdict.value for row in rows} <= {"blocked", "unattainable"}
    fetched = [row for row in rows if "could not be had" in (row.reason or "")]
    assert len(fetched) > 10
    assert all(f"repro fetch {row.artifact} --mirror FOLDER" in str(row.reason) for row in fetched)


def test_a_mirror_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no folder at nowhere"):
        fetch([artifact()], results=tmp_path, settings=replace(QUICK, mirror="nowhere"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.slow
def test_the_command_says_what_it_has(place: Place) -> None:
    mirror = place.folder / "mirror"
    mirror.mkdir()
    (mirror / "data_val.csv").write_bytes(b"a;b\n")
    call = ("fetch", "lhc-net-data-val", "--mirror", str(mirror), "--offline", "--cache", "cache")

    ended = place.run(*call)

    assert ended.code == 0, ended.err
    assert "4 bytes, first seen, no digest stated, sha256 " in ended.out
    assert "--pin expects these bytes from now on" in ended.out
    document = place.run(*call, "--pin", "--json").data()
    assert document["pinned"] == ["lhc-net"]
    assert Path(document["paths"]["lhc-net-data-val"]["data_val.csv"]).name == "data_val.csv"
    (mirror / "data_val.csv").write_bytes(b"x;y\n")
    ended = place.run(*call[:-1], "other")
    assert "verified by sha256" not in ended.out
    assert ended.code == 3  # a name that several may have, in the mirror's top folder
    (mirror / "lhc-net-data-val").mkdir()
    (mirror / "data_val.csv").rename(mirror / "lhc-net-data-val" / "data_val.csv")
    ended = place.run(*call[:-1], "other")
    assert ended.code == 1
    assert "gave another file than data_val.csv: expected sha256" in ended.err
    assert not list((place.folder / "other").rglob("data_val.csv"))


def test_the_command_ends_with_3_where_something_is_missing(place: Place) -> None:
    ended = place.run("fetch", "deep-emotion/none", "--offline")
    assert ended.code == 2

    ended = place.run("fetch", "poster", "--kind", "checkpoint", "--offline", "--cache", "cache", "--json")

    assert ended.code == 3
    records = ended.data()["records"]
    assert len(records) == 8
    assert {record["result"]["verdict"] for record in records} == {"blocked"}
    assert ended.err.count("the call is offline") == 12
    assert place.run("fetch", "--json").data()["error"]["kind"] == "UsageError"


def test_the_list(place: Place) -> None:
    ended = place.run("fetch", "--list", "mini-xception", "--json", "--cache", "cache")

    listed = {one["artifact"]: one for one in ended.data()["artifacts"]}
    assert listed["mini-xception-checkpoint"]["stated"] == ["sha256"]
    assert listed["mini-xception-checkpoint"]["in_cache"] is False
    assert not (place.folder / "cache").exists()
    assert "fer2013-fer2013" in place.run("fetch", "--list", "shared").out
