"""The benchmark's evaluation as a user meets it: published files, the order of models, ensembles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.common.faces import embedded
from pipelines.rmn.system import SYSTEM
from repro.registry import resolve
from repro.trace.keyed import keyed_tensor
from tests.command import Place

pytestmark = pytest.mark.slow  # two networks at 224 pixels, 140 images

MEMBERS = ("resnet18", "efficientnet_b2b")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, paths = tmp_path_factory.mktemp("published"), {}
    for name in MEMBERS:
        network = resolve(SYSTEM.model(name).build)()
        with torch.no_grad():
            for key, value in network.state_dict().items():
                if value.is_floating_point():
                    value.copy_(torch.from_numpy(keyed_tensor(key, tuple(value.shape), "ours")))
        paths[name] = folder / f"{name}_rot30_2019Nov01_00.00"
        torch.save({"arch": name, "net": network.state_dict(), "best_val_acc": 70.0}, paths[name])
    return paths


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen drawn faces as a Kaggle file: eight views of each are enough to compute."""
    faces = embedded()
    path = tmp_path_factory.mktemp("data") / "fer2013.csv"
    rows = ["emotion,pixels,Usage"]
    for index in range(12):
        usage = "Training" if index < 4 else "PrivateTest"
        rows.append(f"{faces.labels[index]},{' '.join(map(str, faces.images[index].ravel()))},{usage}")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("evaluation"))


def call(checkpoints: dict[str, Path], data: Path, model: str, protocol: str = "as-published") -> tuple[str, ...]:
    file = ("--checkpoint", str(checkpoints[model]), "--data", str(data), "--protocol", protocol)
    return ("eval", "--system", "rmn", "--model", model, *file, "--json")


def test_the_order_of_models_moves_the_views(place: Place, checkpoints: dict[str, Path], data: Path) -> None:
    first = place.run(*call(checkpoints, data, "efficientnet_b2b")).data()["records"][0]
    again = place.run(*call(checkpoints, data, "efficientnet_b2b"), "--force").data()["records"][0]
    later = place.run(*call(checkpoints, data, "efficientnet_b2b"), "--after", "resnet18").data()["records"][0]
    assert again["outputs"] == first["outputs"]
    assert later["outputs"]["scores-0"] != first["outputs"]["scores-0"]
    assert later["outputs"]["draws-0-degrees"] != first["outputs"]["draws-0-degrees"]
    assert "behind those of no model" in first["result"]["draws"][0]
    assert "from view 64 on: behind those of resnet18" in later["result"]["draws"][0]
    assert later["parameters"]["protocol"]["settings"]["after"] == ["resnet18"]
    assert later["result"]["probe"] != first["result"]["probe"]


def test_ensembles_are_added_up_from_what_is_there(place: Place, checkpoints: dict[str, Path], data: Path) -> None:
    asked = ("eval", "--system", "rmn", "--ensemble", "seven", "--data", str(data), "--protocol", "as-published")
    blocked = place.run(*asked, "--json")
    assert blocked.code == 3
    assert "members of seven have no evaluation" in blocked.err
    assert "resnet50_pretrained_vgg" in blocked.err
    place.run(*call(checkpoints, data, "resnet18"))
    place.run(*call(checkpoints, data, "efficientnet_b2b"), "--after", "resnet18")
    ended = place.run(*asked, "--members", ",".join(MEMBERS), "--json")
    assert ended.code == 0, ended.err
    told = ended.data()
    record = told["records"][0]
    stored = {
        name: np.load(place.results / "objects" / f"{record['inputs'][f'scores of {name}']}.npy") for name in MEMBERS
    }
    summed = np.round(stored["resnet18"], 4) + np.round(stored["efficientnet_b2b"], 4)
    scores = np.load(place.results / "objects" / f"{record['outputs']['scores-0']}.npy")
    np.testing.assert_array_equal(scores, summed)
    labels = np.load(place.results / "objects" / f"{record['outputs']['labels']}.npy")
    assert told["correct"] == int((summed.argmax(axis=1) == labels).sum())
    assert told["n"] == 8
    assert {"ties", "rounding_changes"} <= set(record["result"]["runs"][0])
    assert "seven" in place.run("report", "--json").out


def test_an_ensemble_takes_scores_of_its_own_arithmetic(place: Place, checkpoints: dict[str, Path], data: Path) -> None:
    asked = ("eval", "--system", "rmn", "--ensemble", "seven", "--members", "resnet18", "--data", str(data))
    asked = (*asked, "--protocol", "plain", "--json")
    place.run(*call(checkpoints, data, "resnet18", "plain"))
    blocked = place.run(*asked, "--arithmetic", "canonical")
    assert blocked.code == 3
    assert "in canonical-1 arithmetic: resnet18" in blocked.err
    made = place.run(*call(checkpoints, data, "resnet18", "plain"), "--arithmetic", "canonical").data()
    told = place.run(*asked, "--arithmetic", "both").data()
    assert (told["arithmetic"], told["canonical"]["arithmetic"]) == ("native", "canonical-1")
    assert (told["canonical"]["correct"], told["canonical"]["n"]) == (made["correct"], made["n"])
    native, canonical = (record["inputs"]["scores of resnet18"] for record in told["records"])
    assert canonical == made["records"][0]["outputs"]["scores-0"] != native


def test_another_member_is_refused(place: Place, data: Path) -> None:
    asked = ("eval", "--system", "rmn", "--ensemble", "seven", "--data", str(data))
    assert place.run(*asked, "--members", "vgg19").code == 2
    assert place.run("eval", "--system", "rmn", "--ensemble", "eight", "--data", str(data)).code == 2
    assert place.run("eval", "--system", "rmn", "--data", str(data)).code == 2


def test_batches_and_threads_leave_the_predictions(place: Place, checkpoints: dict[str, Path], data: Path) -> None:
    usual = place.run(*call(checkpoints, data, "resnet18", "plain"), "--certify").data()
    other = place.run(*call(checkpoints, data, "resnet18", "plain"), "--batch", "3", "--threads", "2").data()
    assert other["digests"]["predictions"] == usual["digests"]["predictions"]
    certificate = usual["certificate"]
    assert certificate["certified"] == (certificate["counts"][0] == certificate["counts"][1])
    assert all(run["sentence"] for run in certificate["runs"])
