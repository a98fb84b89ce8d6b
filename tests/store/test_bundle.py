"""Bundles from strangers: what is sound is read, everything else is refused by name."""

from __future__ import annotations

import json
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.compare.machines import group_runs
from repro.errors import BadInput, Contradiction, PrerequisiteError, SchemaTooNew
from repro.report import build_report
from repro.report.bundle import bundle_report
from repro.report.comparison import comparison_text
from repro.report.html import html
from repro.store import bundle as bundles
from repro.store.bundle import Bundle
from repro.store.runs import read_runs
from repro.trace import Trace, TraceEntry
from tests.report import made
from tests.report.test_html import SCRIPT, Page

TRACE = Trace.from_entries([TraceEntry(name=SCRIPT, operation=SCRIPT, dtype="float32", shape=(1,), digest="a" * 64)])
DIGEST = blake3(TRACE.to_json().encode()).hexdigest()
RECORDS = made.named(made.check_rep(outputs={"trace": DIGEST}))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return bundle_report(tmp_path / "sound.zip", build_report(RECORDS), RECORDS, {DIGEST: TRACE})


def test_what_was_written_is_read_and_made_twice_is_the_same(sound: Path, tmp_path: Path) -> None:
    found = Bundle.read(sound)
    assert found.traces == {DIGEST: TRACE}
    assert {name: one.compared() for name, one in found.records.items()} == {
        name: one.compared() for name, one in RECORDS.items()
    }
    again = bundle_report(tmp_path / "again.zip", build_report(RECORDS), RECORDS, {DIGEST: TRACE})
    assert again.read_bytes() == sound.read_bytes()
    assert [run.trace for run in read_runs([sound])] == [TRACE]


def test_nobodys_day_is_in_it_unless_asked(tmp_path: Path) -> None:
    for times in (False, True):
        path = bundle_report(tmp_path / "a.zip", build_report(RECORDS), RECORDS, {DIGEST: TRACE}, times=times)
        with zipfile.ZipFile(path) as file:
            text = b"".join(file.read(name) for name in file.namelist())
        assert (b"2001-02-03" in text) is times


def repacked(source: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a bundle with other contents; its index lists what is there, with true digests."""
    with zipfile.ZipFile(source) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    index = json.loads(contents.pop("bundle.json"))
    change(contents)
    index["entries"] = {
        name: {"digest": blake3(data).hexdigest(), "size": len(data)} for name, data in contents.items()
    }
    with zipfile.ZipFile(target, "w") as file:
        for name, data in {"bundle.json": json.dumps(index).encode(), **contents}.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return target


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../outside.json", "leads out of the bundle"),
        ("records/../../outside.json", "leads out of the bundle"),
        ("records\\..\\outside.json", "leads out of the bundle"),
        ("/etc/passwd", "absolute path"),
        ("C:\\outside.json", "absolute path"),
        ("report/run.sh", "no name that a bundle has"),
        ("records/a/b/.hidden.json", "no name that a bundle has"),
    ],
)
def test_names_that_lead_elsewhere(sound: Path, tmp_path: Path, name: str, told: str) -> None:
    hostile = repacked(sound, tmp_path / "hostile.zip", lambda contents: contents.update({name: b"{}"}))
    with pytest.raises(BadInput, match=told) as caught:
        Bundle.read(hostile)
    assert repr(name) in caught.value.message


def test_a_link(sound: Path) -> None:
    link = zipfile.ZipInfo("records/a/b/link.json")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(sound, "a") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(BadInput, match=r"'records/a/b/link\.json' is a link"):
        Bundle.read(sound)


def bomb(path: Path, told: int) -> Path:
    """Write an archive of ten gigabytes of zeros, compressed, under a header that tells ``told`` bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(10**7)) + packer.flush(zlib.Z_FULL_FLUSH)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("records/a/b/bomb.json", block * 1000 + packer.flush())
        file.filelist[0].compress_type, file.filelist[0].file_size = zipfile.ZIP_DEFLATED, told
    return path


def test_a_bomb_of_ten_gigabytes_is_refused_unopened(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'records/a/b/bomb\.json' unpacks to 10000000000 bytes; the limit is 67108864"):
        Bundle.read(bomb(tmp_path / "bomb.zip", 10**10))


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.zip", 1000)
    index = {"schema": "repro-bundle/1", "entries": {"records/a/b/bomb.json": {"digest": "a" * 64, "size": 1000}}}
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("bundle.json", json.dumps(index))
    with pytest.raises((BadInput, Contradiction), match="bomb"):
        Bundle.read(path)


def test_more_than_a_bundle_may_hold(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_TOTAL", 1000)
    with pytest.raises(BadInput, match="the limit is 1000"):
        Bundle.read(sound)
    monkeypatch.undo()
    monkeypatch.setattr(bundles, "MAX_ENTRIES", 2)
    with pytest.raises(BadInput, match="a bundle has at most 2"):
        Bundle.read(sound)


def test_another_content_than_its_digest_says(sound: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(sound) as file, zipfile.ZipFile(changed, "w") as target:
        for name in file.namelist():
            data = file.read(name)
            target.writestr(name, data.replace(b"a-system", b"b-system") if name.startswith("records/") else data)
    with pytest.raises(Contradiction, match="expected digest"):
        Bundle.read(changed)


def test_a_trace_under_the_name_of_another(sound: Path, tmp_path: Path) -> None:
    def swap(contents: dict[str, bytes]) -> None:
        contents[f"objects/{'b' * 64}.json"] = contents.pop(f"objects/{DIGEST}.json")

    with pytest.raises(Contradiction, match="not what its name says"):
        Bundle.read(repacked(sound, tmp_path / "swapped.zip", swap))


@pytest.mark.parametrize("what", ["repro-record/1", "repro-bundle/1"])
def test_a_newer_schema(sound: Path, tmp_path: Path, what: str) -> None:
    newer = what.replace("/1", "/9").encode()
    with zipfile.ZipFile(sound) as file:
        contents = {name: file.read(name).replace(what.encode(), newer) for name in file.namelist()}
    index = json.loads(contents["bundle.json"])
    index["entries"] = {
        name: {"digest": blake3(data).hexdigest(), "size": len(data)}
        for name, data in contents.items()
        if name != "bundle.json"
    }
    contents["bundle.json"] = json.dumps(index).encode()
    path = tmp_path / "newer.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, data in contents.items():
            file.writestr(name, data)
    with pytest.raises(SchemaTooNew, match="/9"):
        Bundle.read(path)


def test_cut_in_half(sound: Path) -> None:
    whole = sound.read_bytes()
    sound.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="no whole bundle"):
        Bundle.read(sound)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_damage_anywhere_is_told_and_never_a_fault(
    tmp_path_factory: pytest.TempPathFactory, place: float, bits: int
) -> None:
    path = bundle_report(tmp_path_factory.mktemp("damaged") / "a.zip", build_report(RECORDS), RECORDS, {DIGEST: TRACE})
    whole = bytearray(path.read_bytes())
    whole[int(place * len(whole))] ^= bits
    path.write_bytes(whole)
    try:
        told = Bundle.read(path).traces
    except (PrerequisiteError, Contradiction) as error:
        told = str(path) in error.message
    assert told in ({DIGEST: TRACE}, True)


def test_scripts_in_a_bundle_are_shown_harmlessly(tmp_path: Path) -> None:
    record = made.check_rep("different", system=SCRIPT, model=SCRIPT, outputs={"trace": DIGEST})
    records = made.named(made.check_rep())
    hostile = {next(iter(records)): record}
    path = bundle_report(tmp_path / "script.zip", build_report(hostile), hostile, {DIGEST: TRACE})
    found = Bundle.read(path)
    page = Page(html(build_report(found.records, traces=found.traces)))
    assert [tag for tag, _ in page.tags].count("script") == 1
    shown = comparison_text(group_runs(read_runs([path, path])))
    assert all(len(line) <= 80 for line in shown.splitlines() if SCRIPT[:20] not in line)
    assert "\x1b" not in shown
