"""Around the loop: what is tested at the end, room on the disk, selections that look at the test set."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from repro.stages.training import work
from repro.stages.training.backend_torch import TorchBackend
from repro.stages.training.saved import FINISHED, LOCK, TRAJECTORY
from tests.retrain import small
from tests.retrain.test_loop import Breaking


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_without_room_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = small.training(tmp_path / "results")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(work.NoSpace, match=r"take up to \d MB, and 1 MB are free"):
        work.train(one, lambda: TorchBackend(one), tmp_path / "run", {})
    assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    one = small.training(tmp_path / "results")
    with (
        work._locked(tmp_path / "run"),
        pytest.raises(work.AlreadyTraining, match=r"run of .* is being trained by another process"),
    ):
        work.train(one, lambda: TorchBackend(one), tmp_path / "run", {})


def test_each_selection_is_tested_with_its_own_weights(tmp_path: Path) -> None:
    one = small.training(tmp_path / "results", epochs=3, images=48)
    selections = [
        {"name": "published", "split": "test"},
        {"name": "honest", "split": "validation", "metric": "loss"},
        {"name": "last"},
    ]
    one = small.training(
        tmp_path / "results",
        images=48,
        declared=small.changed(one.recipe, selections=selections, test_protocols=["corrected"], protocol="corrected"),
    )
    told: dict[str, Any] = work.train(one, lambda: TorchBackend(one), tmp_path / "run", {})
    chosen, rows = told["selections"], told["rows"]
    assert chosen["published"]["value"] == max(row["test accuracy"] for row in rows)
    assert chosen["honest"]["value"] == min(row["validation loss"] for row in rows)
    assert chosen["last"]["epoch"] == len(rows) == 3
    for name, one_chosen in chosen.items():
        row = rows[one_chosen["epoch"] - 1]
        assert one_chosen["tests"]["corrected"]["counts"] == [round(48 * row["test accuracy"])], name
    assert (tmp_path / "run" / FINISHED).is_file()
    assert not list((tmp_path / "run").glob("*.npz")), "best and last are left in the published format"


def test_a_seed_that_ceases_to_be_finite_leaves_what_was_chosen_before(tmp_path: Path) -> None:
    one = small.training(tmp_path / "results", images=48, epochs=3)
    told: dict[str, Any] = work.train(
        one, lambda: TorchBackend(one, lambda trainer: Breaking(trainer, 5)), tmp_path / "run", {}
    )
    assert (told["failed"]["step"], told["failed"]["tensor"]) == (5, "weight/conv3.weight")
    assert "a lower learning rate" in told["failed"]["next_step"]
    assert (told["steps"], told["epochs"]) == (5, 1)
    assert set(told["selections"]) == {"best"}, "the last weights are no checkpoint"
    assert told["selections"]["best"]["epoch"] == 1
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if path.is_file()) == [
        *("best.pt", FINISHED, TRAJECTORY),
    ]
