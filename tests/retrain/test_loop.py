"""The loop: whatever should not change a bit does not, and the rest does."""

from __future__ import annotations

import math
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from repro.digest import set_digest, tensor_digest
from repro.errors import BadInput
from repro.stages.training.loop import Loop, NotFinite
from repro.stages.training.saved import STATE, TRAJECTORY, Best
from repro.store.packed import load_packed
from repro.trace.trajectory import Trajectory
from tests.retrain import small


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def whole(results: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Loop]:
    folder = tmp_path_factory.mktemp("whole")
    loop = small.loop(small.training(results), folder)
    assert loop.run()
    return folder, loop


def outcome(folder: Path, loop: Loop) -> dict[str, Any]:
    """Return all that two equal trainings agree in."""
    standing = loop.standing.to_data()
    weights = set_digest({name: tensor_digest(value) for name, value in loop.backend.weights().items()})
    best = {path.name: path.read_bytes() for path in folder.glob("best-*")}
    return {"standing": standing, "weights": weights, "trajectory": (folder / TRAJECTORY).read_bytes(), "best": best}


def test_a_training_that_is_stopped_again_and_again_ends_with_the_same_bits(
    results: Path, whole: tuple[Path, Loop], tmp_path: Path
) -> None:
    draws = random.Random("stops")
    stops = sorted(draws.sample(range(1, 8), 4))
    for stop in stops:
        loop = small.loop(small.training(results), tmp_path)
        loop._due = float("inf") if stop % 2 else 0.0  # killed right after a save, or long after one
        assert not loop.run(until=stop)
    loop = small.loop(small.training(results), tmp_path)
    assert loop.run()
    assert outcome(tmp_path, loop) == outcome(*whole)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_no_bit(results: Path, whole: tuple[Path, Loop], tmp_path: Path, workers: int) -> None:
    loop = small.loop(small.training(results, workers=workers), tmp_path)
    loop.run()
    assert outcome(tmp_path, loop) == outcome(*whole)


def test_another_seed_is_another_training(results: Path, whole: tuple[Path, Loop], tmp_path: Path) -> None:
    small.loop(small.training(results, seed=1, epochs=1), tmp_path).run()
    links = [Trajectory.read(folder / TRAJECTORY).links for folder in (whole[0], tmp_path)]
    assert links[0][0].weights != links[1][0].weights
    assert links[0][1].order != links[1][1].order


def test_the_end_has_a_link_wherever_it_falls(results: Path, tmp_path: Path) -> None:
    for until in (3, None):  # with a stop between, there is one link of it all the same
        small.loop(small.training(results, every=3), tmp_path).run(until=until)
    assert [link.step for link in Trajectory.read(tmp_path / TRAJECTORY).links] == [0, 3, 6, 8]


def test_the_state_is_data_and_nothing_is_left_beside_it(whole: tuple[Path, Loop]) -> None:
    folder, loop = whole
    with np.load(folder / STATE, allow_pickle=False) as stored:
        assert any(name.startswith("state/optimizer/Adam/state/0/exp_avg") for name in stored.files)
    best = loop.standing.best["best"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["board", STATE, TRAJECTORY, f"best-best-{best.step}.npz"]
    )
    assert list((folder / "board").iterdir())


def test_other_sources_do_not_go_on_with_a_training(results: Path, whole: tuple[Path, Loop], tmp_path: Path) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    with pytest.raises(BadInput, match="other sources"):
        small.loop(small.training(results, code="d" * 64), tmp_path / "run")


def test_a_damaged_state_is_told(results: Path, whole: tuple[Path, Loop], tmp_path: Path) -> None:
    shutil.copytree(whole[0], tmp_path / "run")
    state = tmp_path / "run" / STATE
    state.write_bytes(state.read_bytes()[:2000])
    with pytest.raises(BadInput, match="damaged training state"):
        small.loop(small.training(results), tmp_path / "run")


def test_a_loss_that_is_not_finite_is_traced_to_its_tensor(results: Path, tmp_path: Path) -> None:
    loop = small.loop(small.training(results, settings={"learning_rate": "1e30"}), tmp_path)
    with pytest.raises(
        NotFinite, match=r"the loss of step \d+ is \w+; the first tensor that is not finite is \w+"
    ) as first:
        loop.run()
    assert loop.standing.step >= 1
    assert first.value.step == loop.standing.step + 1
    assert (first.value.tensor or "").startswith("forward/")
    again = small.loop(small.training(results, settings={"learning_rate": "1e30"}), tmp_path)
    with pytest.raises(NotFinite) as second:
        again.run()
    assert str(second.value) == str(first.value)


class Breaking:
    """A trainer after one of whose steps, resumed or not, a value of a tensor is another."""

    def __init__(self, trainer: Any, step: int, tensor: str = "conv3.weight", value: float = math.nan) -> None:
        self._trainer, self._step, self._done = trainer, step, 0
        self._tensor, self._value = tensor, value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def step(self, inputs: torch.Tensor, labels: torch.Tensor) -> Any:
        values = self._trainer.step(inputs, labels)
        self._done += 1
        if self._done == self._step:
            self._trainer.model.state_dict()[self._tensor].view(-1)[5] = self._value
        return values

    def state(self) -> Any:
        return {"trainer": self._trainer.state(), "done": self._done}

    def restore(self, state: Any) -> None:
        self._trainer.restore(state["trainer"])
        self._done = state["done"]


@pytest.mark.parametrize("broken", [3, 4, 8])  # in an epoch, at its end, at the very end
@pytest.mark.parametrize("due", [0.0, math.inf])  # a state after each step, or the first alone
def test_a_weight_that_is_not_finite_is_found_in_the_step_that_made_it(
    results: Path, tmp_path: Path, broken: int, due: float
) -> None:
    loop = small.loop(small.training(results), tmp_path, lambda trainer: Breaking(trainer, broken))
    loop._due = due
    with pytest.raises(NotFinite, match=rf"is weight/conv3.weight of step {broken} ") as caught:
        loop.run()
    assert (caught.value.step, caught.value.tensor) == (broken, "weight/conv3.weight")
    assert loop.standing.step == broken
    assert len(loop.standing.rows) == (broken - 1) // 4
    state, _ = load_packed(tmp_path / STATE)
    assert all(np.isfinite(value).all() for value in state.values()), "what is saved is from before"


def test_scores_that_are_not_finite_end_a_training_too(results: Path, tmp_path: Path) -> None:
    """A running mean is seen where the model is watched, not where it is trained."""
    one = small.training(results)
    loop = small.loop(one, tmp_path, lambda trainer: Breaking(trainer, 8, "norm.running_mean", -3e38))
    with pytest.raises(
        NotFinite, match="scores of validation after epoch 2 are not finite, though the weights"
    ) as caught:
        loop.run()
    assert (caught.value.step, len(loop.standing.rows)) == (8, 1)


def test_stages_begin_anew_from_the_weights_they_name(results: Path, tmp_path: Path) -> None:
    one = small.training(results, epochs=1)
    stage = one.recipe.stages[0].model_dump()
    second = {**stage, "name": "second", "batch": 32, "settings": {"learning_rate": 0.0}, "continues": "best"}
    selections = [{"name": "last"}, {"name": "best", "split": "validation", "scope": "stage"}]
    staged = small.training(
        results, declared=small.changed(one.recipe, stages=[{**stage, "epochs": 2}, second], selections=selections)
    )
    loop = small.loop(staged, tmp_path)
    assert not loop.run(until=8)
    assert loop.standing.best == {}, "the second stage begins anew"
    assert loop.run()
    assert loop.standing.best["best"] == Best(loop.standing.rows[2]["validation accuracy"], 3, 10)
    assert [row["stage"] for row in loop.standing.rows] == [1, 1, 2]
    assert loop.standing.rows[2]["learning rate"] == 0.0
    interrupted = tmp_path / "interrupted"
    for until in (3, 8, 9):
        small.loop(staged, interrupted).run(until=until)
    again = small.loop(staged, interrupted)
    again.run()
    assert outcome(interrupted, again)["weights"] == outcome(tmp_path, loop)["weights"]


def test_sixty_four_images_are_learned_by_heart(results: Path, tmp_path: Path) -> None:
    loop = small.loop(small.training(results, epochs=30), tmp_path)
    loop.run()
    losses = [row["loss"] for row in loop.standing.rows]
    assert losses[-1] < 0.5 * losses[0]
