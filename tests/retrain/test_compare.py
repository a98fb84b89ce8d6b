"""Two trainings that part: the chain finds the step, training again names the tensor and the side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repro.compare.trajectories import compare_trajectories
from repro.errors import BadInput
from repro.stages.retrain import retrain
from repro.stages.training.saved import TRAJECTORY
from repro.stages.training.task import Training
from repro.trace.trajectory import Link, Trajectory
from tests.command import Place
from tests.retrain import small

FLIPPED = 7
TENSOR = "conv3.weight"
ASKED: dict[str, Any] = {"data": "embedded", "epochs": 3, "batch": 16, "images": 64, "every": 1}


class Flipping:
    """A trainer after whose seventh step one bit of one weight is another."""

    def __init__(self, trainer: Any) -> None:
        self._trainer, self._steps = trainer, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        values = self._trainer.step(inputs, labels)
        self._steps += 1
        if self._steps == FLIPPED:
            bits = self._trainer.model.state_dict()[TENSOR].view(torch.int32)
            bits.view(-1)[5] ^= 1
        return values  # type: ignore[no-any-return]


def _trajectory(folder: Path, one: Training, wrap: Callable[[Any], Any]) -> Trajectory:
    small.loop(one, folder, wrap).run()
    return Trajectory.read(folder / TRAJECTORY)


def test_a_flipped_bit_is_found_at_its_step_and_in_its_tensor(tmp_path: Path) -> None:
    one = small.training(tmp_path / "results", epochs=3)
    whole = _trajectory(tmp_path / "a", one, lambda trainer: trainer)
    flipped = _trajectory(tmp_path / "b", one, Flipping)
    found = compare_trajectories(whole, flipped)
    assert (found.last_equal, found.first_different) == (FLIPPED - 1, FLIPPED)
    assert found.parts == ("weights",)
    assert found.tensors == (f"weight/{TENSOR}",)
    assert found.looked_at <= 4 < found.links == 13
    assert f"they part in step {FLIPPED}: the weights" in found.sentence()


@pytest.mark.slow
def test_training_again_says_which_of_two_records_was_disturbed(tmp_path: Path) -> None:
    sound, disturbed = tmp_path / "sound", tmp_path / "disturbed"
    record = retrain(small.MODEL, results=sound, keep_every=5, **ASKED)
    small.planted(disturbed, record, Flipping, asked=ASKED, keep_every=5)
    retrain(small.MODEL, results=disturbed, keep_every=5, **ASKED)
    ended = Place(tmp_path).run("compare", str(sound), str(disturbed), "--results", str(sound), "--json")
    assert ended.code == 1, ended.err
    told = ended.data()["trainings"][0]
    assert told["parting"]["first_different"] == FLIPPED
    replayed = told["replay"]
    assert (replayed["step"], replayed["begun"]) == (FLIPPED, 5)
    assert replayed["tensors"] == [f"weight/{TENSOR}"]
    assert len(replayed["repeats"]) == 1
    assert f"has another weight/{TENSOR} (1 tensors)" in replayed["sentence"]


@pytest.mark.slow
def test_trainings_with_other_threads_are_both_trained_again(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    asked = {**ASKED, "every": 4}
    retrain(small.MODEL, results=a, **asked)
    retrain(small.MODEL, results=b, threads=2, **asked)
    ended = Place(tmp_path).run("compare", str(a), str(b), "--results", str(a), "--json")
    assert ended.code == 1, ended.err
    told = ended.data()["trainings"][0]
    assert (told["parting"]["last_equal"], told["parting"]["first_different"]) == (0, 4)
    assert 1 <= told["replay"]["step"] <= 4
    assert "trained again, they part in step 1: weight/" in told["replay"]["sentence"]
    assert "first difference: gradient/conv1.weight" in told["replay"]["sentence"]


def _link(step: int, link: str) -> Link:
    return Link(step=step, link=link, weights=link, state="", losses="", order="", tensors={"weight/a": link})


@given(st.integers(1, 60), st.integers(0, 60))
def test_bisection_finds_the_first_link_that_differs(count: int, first: int) -> None:
    a = Trajectory(head={}, links=tuple(_link(step, f"a{step}") for step in range(count)))
    b = Trajectory(head={}, links=tuple(_link(step, f"{'a' if step < first else 'b'}{step}") for step in range(count)))
    found = compare_trajectories(a, b)
    assert found.first_different == (first if first < count else None)
    assert found.last_equal == (min(first, count) - 1 if first else None)
    assert found.looked_at <= count.bit_length()


def test_trajectories_with_other_steps_are_not_compared() -> None:
    a = Trajectory(head={}, links=(_link(0, "a"), _link(2, "b")))
    b = Trajectory(head={}, links=(_link(0, "a"), _link(3, "b")))
    with pytest.raises(BadInput, match="links at different steps"):
        compare_trajectories(a, b)
