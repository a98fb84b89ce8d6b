"""The main job as a user meets it: unrecorded, recorded, identical, different."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from pipelines.deep_emotion.system import SYSTEM
from tests.command import Place

CHECK = ("check-rep", "--system", "deep-emotion", "--json")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One measured check on the drawn faces, with nothing stored to compare with."""
    place = Place(tmp_path_factory.mktemp("measured"))
    ended = place.run(*CHECK)
    assert ended.code == 0, ended.err
    assert ended.data()["records"][0]["result"]["verdict"] == "unrecorded"
    return place


@pytest.fixture
def place(measured: Place, tmp_path: Path) -> Place:
    """A copy of it that a test may change."""
    shutil.copytree(measured.folder, tmp_path / "copy")
    return Place(tmp_path / "copy")


def _recorded(place: Place) -> Path:
    ended = place.run("record", "--reason", "the first machine", "--json")
    assert ended.code == 0, ended.err
    assert [change["change"] for change in ended.data()["changes"]] == ["added"]
    return next((place.expected / "deep-emotion" / "digests").glob("*.json"))


def test_the_record_tells_all_that_the_bits_depend_on(measured: Place) -> None:
    record = next(data for path, data in measured.records().items() if path.startswith("records/check-rep"))
    assert record["profile"]["cpu"]["isa"]
    assert record["profile"]["framework"]["kernels"]
    assert record["stack"]["packages"]["torch"]
    assert record["switches"]["deterministic_algorithms"] is True
    assert record["switches"]["environment"]["PYTHONHASHSEED"] == "0"
    assert set(record["inputs"]) == {"data", "code"}
    assert [one["varied"] for one in record["result"]["invariance"]] == [
        "2 threads",
        "4 threads",
        "batch in pieces of 1",
        "batch in pieces of 16",
    ]
    trace = json.loads((measured.results / "objects" / f"{record['outputs']['trace']}.json").read_text())
    names = [entry["name"] for entry in trace["entries"]]
    for wanted in (
        "contract/fc2",
        "data/as-published/PrivateTest",
        "data/corrected/Training",
        "forward/crop",
        "step1/loss",
        "step3/gradient/conv1.weight",
        "step3/weight/norm.running_var",
    ):
        assert wanted in names


def test_the_record_tells_the_memory_that_the_model_declares(measured: Place) -> None:
    path = next(path for path in measured.records() if path.startswith("records/check-rep"))
    taken = json.loads((measured.results / path).read_text())["timing"]["peak_bytes"] / 10**6
    declared = SYSTEM.model("deep_emotion").probe_memory
    assert 0.6 * declared < taken < 1.4 * declared, "kernels of other machines take other workspaces"


def test_run_again_it_answers_from_the_record(place: Place) -> None:
    before = {path: path.read_bytes() for path in place.results.rglob("*") if path.is_file()}
    ended = place.run(*CHECK)
    assert ended.code == 0
    assert "run" not in ended.err, "no child was started"
    assert {path: path.read_bytes() for path in place.results.rglob("*") if path.is_file()} == before


def test_recording_makes_it_identical(place: Place) -> None:
    _recorded(place)
    ended = place.run(*CHECK)
    record = ended.data()["records"][0]
    assert (ended.code, record["result"]["verdict"]) == (0, "identical")
    assert record["result"]["bits"]["recorded_because"] == "the first machine"
    again = place.run("record", "--reason", "once more", "--json")
    assert [change["change"] for change in again.data()["changes"]] == ["unchanged"]


def test_one_changed_digit_is_found_and_named(place: Place) -> None:
    path = _recorded(place)
    text = path.read_text()
    line = next(line for line in text.splitlines() if '"name": "step2/gradient/conv3.weight"' in line)
    digest = re.search(r'"digest": "([0-9a-f]{64})"', line)
    assert digest is not None
    digit = "0" if digest[1][10] != "0" else "1"
    path.write_text(text.replace(digest[1], digest[1][:10] + digit + digest[1][11:]))
    ended = place.run(*CHECK)
    record = ended.data()["records"][0]
    assert (ended.code, record["result"]["verdict"]) == (1, "different")
    assert record["result"]["bits"]["comparison"]["first"]["name"] == "step2/gradient/conv3.weight"
    people = place.run(*CHECK[:-1])
    assert people.code == 1
    assert "step2/gradient/conv3.weight" in people.out


def test_another_machine_is_unrecorded_and_told_what_differs(place: Place) -> None:
    _recorded(place)
    path = next(place.profiles.glob("*.toml"))
    text = path.read_text()
    path.write_text(re.sub(r'("?cpu\.vendor"? = )"[^"]*"', r'\1"AnotherVendor"', text))
    assert path.read_text() != text
    ended = place.run(*CHECK)
    bits = ended.data()["records"][0]["result"]["bits"]
    assert (ended.code, ended.data()["records"][0]["result"]["verdict"]) == (0, "unrecorded")
    assert bits["nearest"] == path.stem
    assert [(one["field"], one["expected"]) for one in bits["differences"]] == [("cpu.vendor", "AnotherVendor")]


def test_another_stack_is_unrecorded_and_told_what_differs(place: Place) -> None:
    path = _recorded(place)
    path.write_text(re.sub(r'"torch": "[^"]*"', '"torch": "1.0.0"', path.read_text()))
    ended = place.run(*CHECK)
    record = ended.data()["records"][0]
    assert (ended.code, record["result"]["verdict"]) == (0, "unrecorded")
    assert "1.0.0 there" in record["result"]["bits"]["sentence"]


def test_recording_wants_a_reason(place: Place) -> None:
    ended = place.run("record", "--json")
    assert ended.code == 2
    assert "reason" in ended.data()["error"]["message"]
    assert not list(place.expected.rglob("*.json"))
    shown = place.run("record", "--dry-run", "--json")
    assert (shown.code, shown.data()["written"]) == (0, False)
    assert not list(place.expected.rglob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("check-rep", "--system", "deep-emotoin"), 2, "Did you mean deep-emotion?"),
        (("check-rep", "--isa", "avx1024"), 2, "avx1024"),
        (("check-rep", "--system", "deep-emotion", "--protocol", "paper"), 2, "no check of its own"),
        (("check-rep", "--steps", "5"), 2, "--steps is for the paper's own check"),
        (("check-rep", "--protocol", "papers"), 2, "Did you mean paper?"),
        (("check-rep", "--system", "deep-emotion", "--data", "none.csv"), 3, "no data at none.csv"),
        (("eval", "--system", "deep-emotion", "--checkpoint", "none.pt"), 3, "no checkpoint at none.pt"),
        (("retrain", "--system", "deep-emotion"), 3, "no data to train on"),
    ],
)
def test_wrong_calls_are_told(tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    place = Place(tmp_path)
    ended = place.run(*arguments, "--json")
    assert (ended.code, ended.data()["exit_code"]) == (code, code)
    assert words in ended.data()["error"]["message"]
    assert words in ended.err


def test_what_was_blocked_is_recorded_until_it_runs(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.run("eval", "--system", "deep-emotion", "--checkpoint", "none.pt", "--json").code == 3
    (record,) = place.records().values()
    assert record["result"]["verdict"] == "blocked"
    assert record["result"]["blocked"]["kind"] == "MissingFile"
    assert str(tmp_path) not in json.dumps(record)
