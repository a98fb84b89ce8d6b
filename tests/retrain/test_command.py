"""The command as a user calls it: killed, with several processes, in canonical arithmetic, wrongly."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from repro.errors import UnknownName, UsageError
from repro.registry import find_model
from repro.stages.retrain import retrain
from tests.command import Place
from tests.retrain import small
from tests.retrain.test_loop import Breaking

TRAIN = ("retrain", "--system", "deep-emotion", "--data", "embedded", "--batch", "33", "--every", "1")
SHORT = ("--images", "100", "--epochs", "1", "--json")


def _run(place: Place, *more: str) -> dict[str, Any]:
    ended = place.run(*TRAIN, *more)
    assert ended.code == 0, ended.err
    record: dict[str, Any] = ended.data()["records"][0]
    return record


def _bits(record: dict[str, Any]) -> list[Any]:
    return [
        (run["trajectory"], {name: (one["weights"], one["tests"]) for name, one in run["selections"].items()})
        for run in record["result"]["runs"]
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, dict[str, Any]]:
    place = Place(tmp_path_factory.mktemp("trained"))
    return place, _run(place, *SHORT)


def test_a_training_leaves_a_record_that_answers_and_a_checkpoint_that_evaluates(
    trained: tuple[Place, dict[str, Any]],
) -> None:
    place, record = trained
    result = record["result"]
    assert result["verdict"] == "not judged: modified"
    assert "embedded data" in result["modified"]
    assert result["claims"][0]["verdict"] == "not judged: modified"
    assert {"D-DROPOUT", "D-SELECT"} <= set(result["keeps"])
    assert [row["epoch"] for row in result["curves"][0]["epochs"]] == [1]
    run = place.results / result["folder"] / "seed-0"
    assert sorted(path.name for path in run.iterdir() if path.is_file()) == [
        *("best.pt", "finished.json", "last.pt", "trajectory.jsonl"),
    ]
    again = place.run(*TRAIN, *SHORT)
    assert again.data()["records"][0] == record
    assert "steps" not in again.err, "nothing was trained again"


@pytest.mark.slow
def test_the_tested_count_is_what_eval_counts_of_the_checkpoint(trained: tuple[Place, dict[str, Any]]) -> None:
    place, _ = trained
    record = _run(place, "--epochs", "1", "--json")
    checkpoint = place.results / record["result"]["folder"] / "seed-0" / "last.pt"
    evaluated = place.run("eval", "--system", "deep-emotion", "--checkpoint", str(checkpoint), "--json").data()
    tests = record["result"]["runs"][0]["selections"]["last"]["tests"]["corrected"]
    assert (tests["counts"], tests["n"]) == ([evaluated["correct"]], evaluated["n"])
    assert record["result"]["runs"][0]["selections"]["last"]["weights"] == evaluated["digests"]["weights"]


@pytest.mark.slow
def test_killed_three_times_it_ends_with_the_same_record(tmp_path: Path) -> None:
    undisturbed, killed = Place(tmp_path / "a"), Place(tmp_path / "b")
    asked = (*TRAIN, "--epochs", "8", "--json")
    started = time.monotonic()
    assert undisturbed.run(*asked).code == 0
    duration = time.monotonic() - started
    draws = random.Random("a killed training")
    for _ in range(3):
        process = killed.start(*asked)
        time.sleep(draws.uniform(0.4, 0.95) * duration)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert killed.run(*asked).code == 0
    assert killed.records() == undisturbed.records()


@pytest.mark.slow
def test_two_processes_compute_the_same_bits_each_time(tmp_path: Path) -> None:
    records = [_run(Place(tmp_path / name), *SHORT, "--processes", "2") for name in ("a", "b")]
    assert _bits(records[0]) == _bits(records[1])
    assert "2 processes with a part of each batch" in records[0]["result"]["modified"]


@pytest.mark.slow
def test_canonical_bits_know_neither_processes_nor_kernels_nor_threads(
    tmp_path: Path, trained: tuple[Place, dict[str, Any]]
) -> None:
    canonical = (*SHORT, "--arithmetic", "canonical", "--unit", "8")
    one = _run(Place(tmp_path / "one"), *canonical)
    two = _run(Place(tmp_path / "two"), *canonical, "--processes", "2")
    lesser = _run(Place(tmp_path / "lesser"), *canonical, "--isa", "baseline", "--threads", "2")
    assert _bits(one) == _bits(two) == _bits(lesser)
    assert _bits(one) != _bits(trained[1])


@pytest.mark.slow
def test_a_seed_that_fails_is_recorded_and_the_others_run(tmp_path: Path) -> None:
    place = Place(tmp_path)
    asked = {"data": "embedded", "epochs": 1, "batch": 33, "images": 100, "every": 1}
    first = retrain(small.MODEL, results=tmp_path / "first", **asked)
    small.planted(place.results, first, lambda trainer: Breaking(trainer, 2), seed=1, asked=asked)
    ended = place.run(*TRAIN, *SHORT, "--seeds", "3")
    assert ended.code == 1, "a training that failed is no success"
    told = ended.data()
    result = told["records"][0]["result"]
    assert result["verdict"] == "failed"
    runs = result["runs"]
    assert runs[0] == first.result["runs"][0]
    assert [run["failed"] is None for run in runs] == [True, False, True]
    assert (runs[1]["failed"]["step"], runs[1]["failed"]["tensor"]) == (2, "weight/conv3.weight")
    assert len(result["spread"]["last"]["corrected"]["counts"]) == 2
    assert "seed 1 failed" in result["claims"][0]["reason"]
    assert "seed 1: the loss of step 3 is nan" in told["error"]["message"]
    assert "a lower learning rate" in ended.err
    again = place.run(*TRAIN, *SHORT, "--seeds", "3")
    assert (again.code, again.data()) == (1, told)
    assert "steps" not in again.err, "nothing was trained again"


def test_a_training_all_of_whose_seeds_fail_is_told(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ended = place.run(*TRAIN, *SHORT[:-1], "--set", "learning_rate=1e30")
    assert ended.code == 1, ended.err
    assert "recipe as-published, seed 0: failed" in ended.out
    assert "the first tensor that is not finite is forward/" in ended.out
    assert "Next: a lower learning rate" in ended.err


@pytest.mark.slow
def test_a_dry_run_estimates_and_leaves_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    told = place.run(*TRAIN, "--dry-run", "--json").data()["estimate"]
    assert told["steps"] == 100 * -(-700 // 33)
    assert told["seconds"] > told["steps"] * told["step_seconds"] > 0
    assert told["memory_bytes"] > 10**8
    assert not (place.results / "runs").exists()
    assert not list((place.results / "records").glob("retrain/*/*"))


def test_overrides_are_told_and_wrong_ones_refused() -> None:
    _, model = find_model("deep-emotion/deep_emotion")
    recipe = model.recipe(None)
    changed, differences = recipe.changed(settings={"learning_rate": "0.01", "loss": "other"}, epochs=3, batch=128)
    assert changed.settings["learning_rate"] == 0.01
    assert (changed.stages[0].epochs, changed.stages[0].batch) == (3, 128)
    assert differences == (
        "learning_rate 0.01 instead of 0.005",
        'loss "other" instead of "cross-entropy"',
        "epochs 3 instead of 100",
    )
    assert recipe.changed(settings={"learning_rate": "5e-3"})[1] == ()
    with pytest.raises(UnknownName, match="learning_rate"):
        recipe.changed(settings={"learning_rat": "1"})
    with pytest.raises(UsageError, match="epochs of at least 1"):
        recipe.changed(epochs=0)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--system", "deep-emotion"), 3, "no data to train on"),
        (("--system", "deep-emotion", "--data", "embedded", "--set", "learning_rate"), 2, "expected name=value"),
        (("--system", "deep-emotion", "--data", "embedded", "--seeds", "none"), 2, "expected a number of seeds"),
        (("--system", "deep-emotion", "--data", "embedded", "--recipe", "as-publishd"), 2, "Did you mean as-published"),
        (("--system", "deep-emotion", "--data", "embedded", "--unit", "4"), 2, "--unit is of canonical arithmetic"),
        (("--system", "deep-emotion", "--data", "embedded", "--start", "nothing.pt"), 3, "there is no nothing.pt"),
    ],
)
def test_wrong_calls_are_told_before_anything_is_trained(
    tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    place = Place(tmp_path)
    ended = place.run("retrain", *arguments)
    assert ended.code == code, ended.err
    assert told in ended.err
    assert not (place.results / "runs").exists()
