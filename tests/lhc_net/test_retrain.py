"""LHC-Net's schedules on the training loop, in TensorFlow, on real images at reduced size."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.common.fer2013 import read_fer2013
from repro.determinism.environment import child_environment
from repro.schema import Caps, TrainingVerdict
from tests.command import Place
from tests.conftest import ROOT
from tests.lhc_net.test_models import in_tensorflow
from tests.stacks import tensorflow_python

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


SIZE = {"images": 40, "batch": 2}
"""Twenty steps a stage."""


class Trainings:
    """Starts trainings in the TensorFlow stack."""

    def __init__(self, data: Path, results: Path) -> None:
        self._python = tensorflow_python()
        self._usual = {"data": str(data), "results": str(results), "recipe": None, "epochs": 1, "workers": 0}

    def start(self, run: Path, model: str, **asked: Any) -> subprocess.Popen[str]:
        arguments = {**self._usual, "model": f"lhc-net/{model}", "run": str(run), **asked}
        command = [str(self._python), str(Path(__file__).with_name("retrain_in_tensorflow.py")), json.dumps(arguments)]
        variables = {**child_environment(Caps(threads=1), self._python), "PYTHONPATH": str(ROOT)}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=variables, start_new_session=True, **pipes)

    def finish(self, run: Path, model: str, **asked: Any) -> dict[str, Any]:
        process = self.start(run, model, **asked)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]

    def kill(self, run: Path, model: str, step: int, **asked: Any) -> None:
        process = self.start(run, model, **asked)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"step {step} of"):
                break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture(scope="module")
def trainings(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    return Trainings(shared / "data" / "fer2013.csv.xz", tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def three_stages(trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("three")
    return trainings.finish(folder / "run", "resnet34v2", **SIZE, save=str(folder / "trained"))


def test_killed_in_every_stage_and_with_other_workers_it_ends_with_the_same_bits(
    trainings: Trainings, three_stages: dict[str, Any], tmp_path: Path
) -> None:
    assert (three_stages["steps"], three_stages["stages"]) == (60, [1, 2, 3])
    for step, workers in ((13, 1), (27, 3), (49, 1)):
        trainings.kill(tmp_path, "resnet34v2", step, workers=workers, share=3, **SIZE)
    resumed = trainings.finish(tmp_path, "resnet34v2", workers=3, **SIZE)
    assert 20 <= resumed["begun"] <= 49
    assert resumed["weights"] == three_stages["weights"]
    assert resumed["link"] == three_stages["link"], "losses, order and optimiser too"


def test_the_modular_path_hands_weights_on(trainings: Trainings, three_stages: dict[str, Any], tmp_path: Path) -> None:
    few = {"images": 4, "batch": 2}
    start = {"start": three_stages["file"]}
    net = trainings.finish(tmp_path / "net", "lhc_net", **few, **start, save=str(tmp_path / "LHC_Net"))
    assert net["started"] == {"format": "Keras HDF5, by name", "of": "resnet34v2", "fresh": 264 - 182}
    assert net["steps"] == 2
    start = {"start": net["file"]}
    controlled = trainings.finish(tmp_path / "controlled", "lhc_net_controller", **few, **start)
    assert controlled["started"] == {
        "format": "TensorFlow object checkpoint",
        "beside": [],
        "of": "lhc_net",
        "fresh": 5,
    }
    new = {name for name in controlled["weights"] if controlled["weights"][name] != net["weights"].get(name)}
    assert new == {f"controller{number}/w" for number in range(1, 6)}, "nothing else is trained"


def test_the_standalone_path_starts_with_the_backbone_alone(trainings: Trainings, shared: Path, tmp_path: Path) -> None:
    in_tensorflow("backbone_in_tensorflow.py", str(tmp_path / "imagenet.h5"))
    few = {"images": 4, "batch": 4, "recipe": "standalone", "start": str(tmp_path / "imagenet.h5")}
    trained = trainings.finish(tmp_path / "run", "lhc_net", **few)
    assert trained["started"]["of"] == "resnet34v2 without head"
    assert trained["stages"] == [1, 2, 3]


def test_sixty_four_images_are_learned_by_heart(trainings: Trainings, tmp_path: Path) -> None:
    settings = {"generator": "{}", "patience": "100"}
    asked = {"images": 64, "batch": 16, "epochs": 60, "stages": 1, "workers": 1, "settings": settings}
    told = trainings.finish(tmp_path, "resnet34v2", accuracy=62 / 64, **asked)
    assert told["accuracies"][-1] >= 62 / 64, "with dropout at work"
    assert told["losses"][-1] < 0.2 * told["losses"][0]


def test_the_command_trains_tests_and_says_what_was_changed(shared: Path, tmp_path: Path) -> None:
    place = Place(tmp_path)
    data = ("--data", str(shared / "data" / "fer2013.csv.xz"))
    who = ("--system", "lhc-net", "--model", "resnet34v2")
    few = ("--start", "random", "--images", "2", "--batch", "2", "--epochs", "1")
    ended = place.run("retrain", *who, *data, *few, "--json")
    assert ended.code == 0, ended.err
    result = ended.data()["records"][0]["result"]
    assert result["verdict"] == TrainingVerdict.MODIFIED
    assert "random weights instead of lhc-net-backbone-resnet34-no-top" in result["modified"]
    (run,) = result["runs"]
    assert (run["steps"], set(run["selections"])) == (3, {"best", "best-of-all-stages"})
    assert run["selections"]["best"]["file"] == "best.h5"
    assert set(run["selections"]["best"]["tests"]) == {"as-published", "plain"}


def test_images_are_changed_as_keras_changes_them(shared: Path, tmp_path: Path) -> None:
    images = read_fer2013(shared / "data" / "fer2013.csv.xz").images[:60]
    np.save(tmp_path / "images.npy", images)
    told = json.loads(in_tensorflow("augment_in_tensorflow.py", str(tmp_path / "images.npy")).splitlines()[-1])
    assert told == {"differing": 0, "cases": 5, "images": 60}
