"""``--arithmetic``: what a user meets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.command import Place

SPLITS = ("validation", "test", "test-both", "validation-2022", "training-2022", "training")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def _call(checkpoint: Path, *more: str) -> list[str]:
    return ["eval", "--system", "deep-emotion", "--checkpoint", str(checkpoint), "--json", *more]


def test_the_stored_digests_hold_here_and_a_difference_is_a_contradiction(place: Place, root: Path) -> None:
    path = place.expected / "deep-emotion" / "canonical.json"
    path.parent.mkdir(parents=True)
    shutil.copy(root / "expected_results" / "deep-emotion" / "canonical.json", path)
    call = ["check-rep", "--system", "deep-emotion", "--arithmetic", "canonical", "--json"]
    ended = place.run(*call)
    record = ended.data()["records"][0]
    assert record["parameters"]["arithmetic"] == "canonical-1"
    assert (ended.code, record["result"]["verdict"]) == (0, "identical"), ended.err
    assert all(one["verdict"] == "identical" for one in record["result"]["invariance"])

    stored = json.loads(path.read_text(encoding="utf-8"))
    stored["entries"][0]["digests"]["training"] = "0" * 64
    path.write_text(json.dumps(stored), encoding="utf-8")
    ended = place.run(*call)
    assert (ended.code, ended.data()["records"][0]["result"]["verdict"]) == (1, "different")
    assert "training has digest" in ended.data()["records"][0]["result"]["bits"]["sentence"]

    ended = place.run("record", "--system", "deep-emotion", "--reason", "a test of recording", "--json")
    assert ended.code == 0, ended.err
    assert [row["profile"] for row in ended.data()["changes"]] == ["all machines"]
    assert place.run(*call).code == 0


def test_a_certificate_of_canonical_counts_is_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "some.pt").write_bytes(b"")
    ended = place.run(*_call(tmp_path / "some.pt", "--arithmetic", "canonical", "--certify"))
    assert ended.code == 2
    assert "needs no certificate" in ended.data()["error"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("which", ["a", "b"])
def test_real_checkpoints_count_the_same_in_both_arithmetics(
    place: Place, shared: Path, which: str, split: str
) -> None:
    checkpoint = shared / "data" / "checkpoints" / f"deep_emotion-100-128-0.005.{which}.pt"
    data = str(shared / "data" / "fer2013.csv.xz")
    ended = place.run(*_call(checkpoint, "--data", data, "--split", split, "--arithmetic", "both"))
    assert ended.code == 0, ended.err
    told = ended.data()
    assert told["canonical"]["arithmetic"] == "canonical-1"
    assert (told["canonical"]["correct"], told["canonical"]["n"]) == (told["correct"], told["n"])
    assert told["canonical"]["digests"]["predictions"] == told["digests"]["predictions"]
