"""Killed at any moment, the next run completes with records equal to an undisturbed run's."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch

from pipelines.deep_emotion.model_torch import build
from tests.command import Place

_KILLS = 20


def _stages(checkpoint: Path) -> list[tuple[str, ...]]:
    evaluation = ("eval", "--system", "deep-emotion", "--checkpoint", str(checkpoint), "--protocol")
    return [
        ("etl",),
        ("check-rep", "--system", "deep-emotion"),
        (*evaluation, "corrected"),
        (*evaluation, "as-published"),
        ("report",),
    ]


def _kill(place: Place, arguments: tuple[str, ...], seconds: float) -> None:
    process = place.start(*arguments)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _whole(place: Place) -> None:
    """Assert that whatever is there under its final name is whole."""
    for path in place.results.rglob("*.json"):
        if not path.name.startswith("."):
            json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "model.pt"
    torch.save(build().state_dict(), path)
    return path


def test_a_killed_etl_is_taken_up(tmp_path: Path) -> None:
    undisturbed, killed = Place(tmp_path / "a"), Place(tmp_path / "b")
    assert undisturbed.run("etl").code == 0
    draws = random.Random("a killed etl")
    for _ in range(4):
        _kill(killed, ("etl", "--force"), draws.uniform(0.2, 1.8))
        _whole(killed)
    assert killed.run("etl").code == 0
    assert killed.records() == undisturbed.records()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_kills_over_all_stages(tmp_path: Path, checkpoint: Path) -> None:
    undisturbed, killed = Place(tmp_path / "a"), Place(tmp_path / "b")
    stages, durations = _stages(checkpoint), []
    for arguments in stages:
        started = time.monotonic()
        ended = undisturbed.run(*arguments)
        assert ended.code == 0, ended.err
        durations.append(time.monotonic() - started)
    draws = random.Random("twenty kills")
    for kill in range(_KILLS):
        number = kill % len(stages)
        _kill(killed, stages[number], draws.uniform(0.05, 1.0) * durations[number])
        _whole(killed)
    for arguments in stages:
        ended = killed.run(*arguments)
        assert ended.code == 0, ended.err
    assert killed.records() == undisturbed.records()
    for name in ("report.json", "report.md", "report.xml", "report.html"):
        assert (killed.results / "report" / name).read_bytes() == (undisturbed.results / "report" / name).read_bytes()
