"""The command on photographs, for models larger than Deep-Emotion: killed, with workers, in canonical arithmetic."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repro.stages.training.saved import FINISHED, STATE
from tests.command import Place
from tests.retrain.photographs import as_caer_s

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]

TWENTY = ("--images", "4", "--batch", "2", "--epochs", "10")
"""Steps, two in an epoch."""

Asked = Callable[..., tuple[str, ...]]


@pytest.fixture(scope="module")
def asked(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Return the words that train a model, ``system/model``, on photographs of FER2013."""
    faces = shared / "data" / "fer2013.csv.xz"

    def words(name: str, *more: str) -> tuple[str, ...]:
        system, _, model = name.partition("/")
        of = ("--data", str(faces))
        if system == "poster":
            of = ("--data", str(as_caer_s(faces, tmp_path_factory.mktemp("faces"))), "--recipe", "caer-s")
        return ("retrain", "--system", system, "--model", model, *of, "--start", "random", "--every", "1", *more)

    return words


def _saved(place: Place) -> int | None:
    """Return after which step the state of the training was saved."""
    for path in place.results.glob(f"runs/*/*/seed-0/{STATE}"):
        with np.load(path, allow_pickle=False) as stored:
            return int(json.loads(stored["_"].tobytes())["standing"]["step"])
    return None


def _kill(place: Place, asked: tuple[str, ...], after: int, steps: float) -> None:
    """Train on, and kill it so many steps' time after one that was saved: somewhere within a step, or in saving."""
    process = place.start(*asked)
    seen: list[tuple[int, float]] = []  # the first may be another process's
    while len(seen) < 3 or seen[-1][0] < after:
        step = _saved(place)
        if step is not None and (not seen or seen[-1][0] != step):
            seen.append((step, time.monotonic()))
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        time.sleep(0.02)
    (first, began), (last, ended) = seen[-2:]
    time.sleep(steps * (ended - began) / (last - first))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    saved = _saved(place)
    assert saved is not None
    assert after <= saved < 20
    assert not list(place.results.glob(f"runs/*/*/seed-0/{FINISHED}")), "it was in the middle of it"


def _trained(place: Place, asked: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    ended = place.run(*asked)
    assert ended.code == 0, ended.err
    return place.records()


@pytest.mark.parametrize("name", ["rmn/resnet18", "rmn/resmasking_dropout1", "poster/poster_v2_7cls"])
def test_killed_three_times_or_with_other_workers_it_ends_with_the_same_record(
    asked: Asked, tmp_path: Path, name: str
) -> None:
    words = asked(name, *TWENTY)
    whole = _trained(Place(tmp_path / "whole"), (*words, "--workers", "0"))
    (runs,) = (record["result"]["runs"] for record in whole.values() if record["stage"] == "retrain")
    assert (runs[0]["steps"], runs[0]["trajectory"]["links"]) == (20, 21)
    killed = Place(tmp_path / "killed")
    draws = random.Random(name)
    for after in (4, 9, 14):
        _kill(killed, (*words, "--workers", "1"), after, draws.uniform(0.1, 1.6))
    assert _trained(killed, (*words, "--workers", "1")) == whole
    assert _trained(Place(tmp_path / "three"), (*words, "--workers", "3")) == whole


@pytest.mark.parametrize(
    ("name", "batch", "unit"), [("rmn/resnet18", "3", "1"), ("poster/poster_v2_7cls", "4", "2")]
)  # of one image POSTER V2's batch norms see one value
def test_canonical_bits_do_not_know_the_number_of_processes(
    asked: Asked, tmp_path: Path, name: str, batch: str, unit: str
) -> None:
    few = ("--images", batch, "--batch", batch, "--epochs", "2", "--arithmetic", "canonical", "--unit", unit)
    words = asked(name, *few)
    one = _trained(Place(tmp_path / "one"), words)
    two = _trained(Place(tmp_path / "two"), (*words, "--processes", "2"))
    bits = [
        [record["result"]["runs"] for record in records.values() if record["stage"] == "retrain"]
        for records in (one, two)
    ]
    assert len(bits[0][0]) == 1
    assert bits[0] == bits[1]
