"""The DAG as make calls it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from pipelines import __main__ as launcher
from pipelines.deep_emotion.model_torch import build
from tests.command import Ended, Place
from tests.conftest import ROOT


def _pipeline(place: Place, *arguments: str, **variables: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines", *arguments, f"results={place.results}"],
        cwd=place.folder,
        env=place.environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Ended]:
    place = Place(tmp_path_factory.mktemp("pipeline"))
    place.environment()
    return place, _pipeline(place, "check-rep", "systems=deep-emotion")


def test_check_rep_ends_with_a_table_and_a_report(checked: tuple[Place, Ended]) -> None:
    place, ended = checked
    assert ended.code == 0, ended.err
    assert re.search(r"deep-emotion/deep_emotion +check-rep +embedded +cpu +unrecorded", ended.out)
    assert "report.html" in ended.out
    suites = ElementTree.parse(place.results / "report" / "report.xml").getroot()
    assert suites.tag == "testsuites"
    assert len(place.records()) == 2, "etl and check-rep"


def test_run_again_and_beside_direct_calls_it_answers_from_the_records(checked: tuple[Place, Ended]) -> None:
    place, _ = checked
    before = place.records()
    assert (
        place.run("check-rep", "--system", "deep-emotion", "--json").data()["records"][0]["result"]["verdict"]
        == "unrecorded"
    )
    ended = _pipeline(place, "check-rep", "systems=deep-emotion")
    assert ended.code == 0
    assert "fresh processes" not in ended.err, "nothing was measured again"
    assert place.records() == before


def test_a_contradiction_is_the_exit_code_and_the_report_is_there(checked: tuple[Place, Ended], tmp_path: Path) -> None:
    shutil.copytree(checked[0].folder, tmp_path / "copy")
    place = Place(tmp_path / "copy")
    assert place.run("record", "--reason", "a test").code == 0
    path = next(place.expected.rglob("*.json"))
    digest = re.findall(r'"digest": "([0-9a-f]{64})"', path.read_text())[-1]
    path.write_text(path.read_text().replace(digest, "0" * 64))
    (place.results / "report" / "report.md").unlink()
    ended = _pipeline(place, "check-rep", "systems=deep-emotion")
    assert ended.code == 1
    assert "different" in ended.out
    assert "step3/weight/" in (place.results / "report" / "report.md").read_text()


def test_missing_data_is_blocked_told_and_reported(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ended = _pipeline(place, "check-rep", "systems=deep-emotion", "data=none.csv")
    assert ended.code == 3
    assert "no data at none.csv" in ended.err
    assert "blocked" in ended.out
    assert "none.csv" in (place.results / "report" / "report.md").read_text()


def test_a_checkpoint_at_hand_is_evaluated_by_both_protocols(tmp_path: Path) -> None:
    place = Place(tmp_path)
    torch.manual_seed(0)
    torch.save(build().state_dict(), tmp_path / "model.pt")
    ended = _pipeline(place, "eval-downloaded", "systems=deep-emotion", f"checkpoint={tmp_path / 'model.pt'}")
    assert ended.code == 0, ended.err
    protocols = {data["parameters"]["protocol"]["name"] for data in place.records().values() if data["stage"] == "eval"}
    assert protocols == {"as-published", "corrected"}


def test_with_nothing_to_be_had_every_download_is_blocked_and_reported(tmp_path: Path) -> None:
    place = Place(tmp_path)
    offline = {
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "REPRO_CACHE": str(tmp_path / "c"),
    }
    ended = _pipeline(place, "eval-downloaded", "systems=deep-emotion", **offline)
    assert ended.code == 3
    verdicts = {data["result"]["verdict"] for data in place.records().values()}
    assert verdicts == {"blocked"}
    assert {data["stage"] for data in place.records().values()} == {"fetch", "eval"}
    report = (place.results / "report" / "report.md").read_text()
    assert "repro fetch deep-emotion-third-party-a" in report


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("check-rpe",), 2, "Did you mean check-rep?"),
        (("check-rep", "sytems=x"), 2, "expected key=value"),
        (("check-rep", "systems=rnm"), 2, "unknown system 'rnm'"),
        (("check-rep", "models=resnet"), 2, "unknown model 'resnet'"),
        (("check-rep", "isa=avx1024"), 2, "avx1024"),
        (("eval-downloaded", "certify=maybe"), 2, "expected yes or no"),
        (("retrain", "system=deep-emotion"), 3, "no data to train on"),
        (("eval-downloaded", "systems=rnm"), 2, "Did you mean rmn?"),
    ],
)
def test_wrong_calls_start_nothing(tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    place = Place(tmp_path)
    ended = _pipeline(place, *arguments)
    assert ended.code == code
    assert words in ended.err
    assert not place.results.exists()


def test_make_help_lists_every_target_of_the_design() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ["setup", "check-rep", "eval-downloaded", "retrain", "report", "test", "lint", "bench", "help"]:
        assert re.search(rf"^  make {target} ", shown, re.MULTILINE), target


@pytest.mark.parametrize(("named", "cores", "at_once"), [("deep-emotion", 2, 2), ("deep-emotion", 1, 1), ("rmn", 2, 1)])
def test_cores_are_for_several_models_before_they_are_for_the_runs_of_one(
    named: str, cores: int, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    target, options = launcher._parsed(["check-rep", f"systems={named}"])
    config = launcher._configuration(target, options, tmp_path)
    assert (config["cores"], config["at_once"]) == (cores, at_once)
    assert config["memory"].keys() == set(config["models"])
    assert max(config["memory"].values()) <= config["memory_budget"]
