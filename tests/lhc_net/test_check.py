"""LHC-Net's own check: the bits of Keras' fit, the same after a kill, others under other kernels."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from repro.registry import systems
from tests.command import Ended, Place
from tests.conftest import ROOT
from tests.stacks import tensorflow_python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

MODEL = "resnet34v2"
CALL = ("check-rep", "--system", "lhc-net", "--protocol", "paper")


@pytest.fixture(scope="module")
def python() -> Path:
    return tensorflow_python()


def test_each_step_has_the_bits_of_fit(python: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [str(python), str(Path(__file__).with_name("beside_fit_tensorflow.py")), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "TF_DETERMINISTIC_OPS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["batches"] == 3
    assert told["from a file"]
    assert told["step by step"] == told["fit"], "weights after an epoch"
    assert told["resumed"] == told["fit"], "weights after an epoch that was left after its second step"
    assert told["without moving the dropouts on"] != told["fit"], "so that the test can see a difference"


@pytest.fixture(scope="module")
def data(shared: Path) -> tuple[str, ...]:
    return ("--data", str(shared / "data" / "fer2013.csv.xz"), "--steps", "5", "--json")


def record(ended: Ended) -> dict[str, Any]:
    assert ended.code == 0, ended.err
    return ended.data()["records"][-1]


@pytest.fixture(scope="module")
def undisturbed(data: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, dict[str, Any]]:
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    place.profiles.mkdir()
    (place.profiles / "lhc-net-authors.toml").write_bytes(
        (ROOT / "hardware_profiles" / "lhc-net-authors.toml").read_bytes()
    )
    return place, record(place.run(*CALL, *data))


def copied(place: Place, folder: Path) -> Place:
    """Return another place with the same prepared tree, so that only the check is run there."""
    made = Place(folder)
    made.results.mkdir(parents=True)
    shutil.copytree(place.profiles, made.profiles)
    for name in ("data", "prepared"):
        (made.results / name).symlink_to(place.results / name)
    for kind in ("etl", "prepare"):
        (made.results / "records").mkdir(exist_ok=True)
        (made.results / "records" / kind).symlink_to(place.results / "records" / kind)
    (made.results / "objects").symlink_to(place.results / "objects")
    return made


def test_the_record_says_what_was_run(undisturbed: tuple[Place, dict[str, Any]]) -> None:
    place, made = undisturbed
    told = made["result"]["paper"]
    assert (told["steps"], told["of"], told["images"], told["value"]) == (5, 599, 28709, None)
    assert told["missing"] == systems()["lhc-net"].check.weights  # type: ignore[union-attr]
    assert "L-VERSIONS" in told["software"]
    names = [entry["name"] for entry in trace(place, made)]
    assert names.index("initial/conv0/kernel:0") < names.index("order") < names.index("step1/input")
    assert [name for name in names if name.endswith("/loss")] == [f"step{number}/loss" for number in range(1, 6)]
    assert sum(name.startswith("step1/gradient/") for name in names) == 112
    assert not (place.results / "unfinished").exists() or not any((place.results / "unfinished").iterdir())


def trace(place: Place, made: dict[str, Any]) -> list[dict[str, Any]]:
    path = place.results / "objects" / f"{made['outputs']['trace']}.json"
    return json.loads(path.read_text())["entries"]  # type: ignore[no-any-return]


def test_killed_after_the_third_step_it_goes_on_to_the_same_bits(
    undisturbed: tuple[Place, dict[str, Any]], data: tuple[str, ...], tmp_path: Path
) -> None:
    place, made = undisturbed
    killed = copied(place, tmp_path / "killed")
    process = killed.start(*CALL, *data)
    assert process.stderr is not None
    for line in process.stderr:
        if ": 3 of 5 steps" in line:
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert list((killed.results / "unfinished").glob("*/state.npz")), "what a kill left"
    started = time.monotonic()
    ended = killed.run(*CALL, *data)
    again = record(ended)
    assert "one that was begun goes on" in ended.err
    assert again["result"] == made["result"], f"after {time.monotonic() - started:.0f} s"
    assert again["outputs"] == made["outputs"]


def test_other_kernels_differ_and_the_first_tensor_is_named_with_its_distance(
    undisturbed: tuple[Place, dict[str, Any]], data: tuple[str, ...], tmp_path: Path
) -> None:
    place, made = undisturbed
    recorded = place.run("record", "--system", "lhc-net", "--reason", "a test")
    assert recorded.code == 0, recorded.err
    other = copied(place, tmp_path / "other")
    other.environment()
    for source, target in ((place.expected, other.expected), (place.profiles, other.profiles)):
        for path in source.rglob("*"):
            if path.is_file():
                (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
                (target / path.relative_to(source)).write_bytes(path.read_bytes())
    ended = other.run(*CALL, *data, "--isa", "baseline")  # without oneDNN's operations, and with SSE kernels
    told = record(ended)
    (stored,) = told["result"]["paper"]["elsewhere"]
    assert stored["verdict"] == "different"
    first = stored["sentence"]
    assert "first difference: step1/loss (loss), 1 of 1 values, at most " in first, first
    assert "ulp" in first
    paths = [
        next((one.results / "records" / "check-rep").rglob("*.json"))
        if one is other
        else next(
            path
            for path in (one.results / "records" / "check-rep").rglob("*.json")
            if json.loads(path.read_text())["outputs"] == made["outputs"]
        )
        for one in (place, other)
    ]
    compared = place.run("compare", *map(str, paths))
    assert compared.code == 1
    assert "step1/loss" in compared.out
