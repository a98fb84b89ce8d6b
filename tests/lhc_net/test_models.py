"""LHC-Net's models in both frameworks, beside their contracts and beside each other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.common.fer2013 import read_fer2013
from pipelines.lhc_net import model_torch, weights_torch
from pipelines.lhc_net.etl import evaluation_inputs
from pipelines.lhc_net.names import from_torch
from pipelines.lhc_net.predict_torch import predict
from pipelines.lhc_net.protocol import View, summarise, views
from pipelines.lhc_net.system import SYSTEM
from repro.determinism.environment import child_environment
from repro.errors import BadCheckpoint, MissingFile, UsageError
from repro.schema import Caps
from repro.trace.keyed import keyed_image
from tests.conftest import ROOT
from tests.stacks import tensorflow_python

MODELS = ("resnet34v2", "lhc_net", "lhc_net_controller")
SINGLE = {"resnet34v2": 1e-4, "lhc_net": 5e-2, "lhc_net_controller": 5e-2}
"""In single precision keyed weights saturate the attention's softmaxes: rounding of one part in 10^7 decides which of
two channels wins, and native kernels, of either framework, end up 0.1 to 3 % apart. In double precision all agree."""


@pytest.fixture(scope="module")
def contracts(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "contracts" / "lhc-net.json").read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", MODELS)
def test_the_port_fulfils_the_contract(contracts: dict[str, Any], name: str) -> None:
    entry = contracts[f"lhc-net/{name}"]
    model = getattr(model_torch, name)().eval()
    names = weights_torch.tensorflow_names(model)
    state = model.state_dict()
    shapes = {published: list(from_torch(published, state[own].numpy()).shape) for own, published in names.items()}
    assert shapes == entry["variables"]
    assert sum(parameter.numel() for parameter in model.parameters()) == entry["parameters"]
    weights_torch.fill_keyed(model, entry["salt"])
    expected = np.array(entry["output"])
    image = torch.from_numpy(keyed_image((2, 1, 224, 224), entry["salt"])).double().mul(255).expand(2, 3, 224, 224)
    for precision, tolerance in ((torch.float32, SINGLE[name]), (torch.float64, 1e-9)):
        with torch.no_grad():
            output = torch.softmax(model.to(precision)(image.to(precision)), 1).double().numpy()
        assert np.abs(output - expected).max() <= tolerance * np.abs(expected).max()


def test_the_port_saves_and_loads_tensorflows_names(tmp_path: Path) -> None:
    model, other = model_torch.resnet34v2(), model_torch.resnet34v2()
    weights_torch.fill_keyed(model, "ours")
    weights_torch.save(model, tmp_path / "weights.safetensors")
    weights_torch.load(other, tmp_path / "weights.safetensors")
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
    with pytest.raises(BadCheckpoint, match=r"conv1\.LHC_Module\.Wp\.weight is missing"):
        weights_torch.load(model_torch.lhc_net(), tmp_path / "weights.safetensors")
    (tmp_path / "cut").write_bytes((tmp_path / "weights.safetensors").read_bytes()[:1000])
    with pytest.raises(BadCheckpoint, match="not readable as safetensors"):
        weights_torch.load(other, tmp_path / "cut")
    with pytest.raises(MissingFile, match="no checkpoint"):
        weights_torch.load(other, tmp_path / "none")


def test_the_port_leaves_augmentation_to_tensorflow() -> None:
    with pytest.raises(UsageError, match="no test-time augmentation"):
        predict(torch.nn.Identity(), torch.zeros(1), SYSTEM.protocol("as-published").settings)


def test_views_are_the_published_ones_in_their_order() -> None:
    found = views()
    assert len(found) == 59
    assert found[0] == View(flipped=True)
    assert found[1:3] == [View(down=10.0), View(flipped=True, down=10.0)]
    assert found[17] == View(radians=0.4)
    assert found[53] == View(zoomed=True)
    assert found[-1] == View(flipped=True, zoomed=True, radians=-0.15)


def test_what_the_scripts_print() -> None:
    scores = np.array([[0.5, 0.5, 0.0], [0.1, 0.7, 0.2], [0.3, 0.3, 0.4]], np.float32)
    told = summarise(scores, np.array([0, 1, 1]), SYSTEM.protocol("plain"))
    assert (told["printed"], told["ties"], told["smallest_margin"]) == (f"{2 / 3:.17f}", 1, 0.0)


def in_tensorflow(script: str, *arguments: str) -> str:
    python = tensorflow_python()
    variables = {**child_environment(Caps(threads=2), python), "PYTHONPATH": str(ROOT)}
    command = [str(python), str(Path(__file__).with_name(script)), *arguments]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def real_inputs(shared: Path, count: int) -> np.ndarray:
    images = read_fer2013(shared / "data" / "fer2013.csv.xz").images
    return evaluation_inputs(images[np.linspace(0, len(images) - 1, count).astype(int)])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_tensorflow(shared: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", real_inputs(shared, 64))
    contracts = shared / "contracts" / "lhc-net.json"
    told = json.loads(
        in_tensorflow("models_in_tensorflow.py", str(contracts), str(tmp_path / "images.npy"), str(tmp_path))
    )
    published = json.loads(contracts.read_text())
    for name in MODELS:
        found = told["contracts"][f"lhc-net/{name}"]
        assert found["variables"]
        assert found["parameters"] == published[f"lhc-net/{name}"]["parameters"]
        assert found["float64"] <= 1e-9
        assert found["float32"] <= SINGLE[name]
    files = told["checkpoints"]
    assert files["says"] == "TensorFlow object checkpoint"
    assert all(files[key] for key in ("loads", "paths", "unchanged", "round_trip", "hdf5", "hdf5_in_order"))
    assert files["hdf5_says"] == "Keras HDF5, by the order of its layers"
    missing, misshapen, unexpected, unusable, uncontrolled = files["refused"]
    assert "conv5_3/LHC_Module/Wp/bias is missing" in missing
    assert "fc3/bias has shape (8,), expected (7,)" in misshapen
    assert "fc4/bias is unexpected" in unexpected
    assert "fc3/bias" in unusable
    assert "it holds 264" in uncontrolled
    assert files["own"] == ["LHC_Module"]
    assert files["own_of_controlled"] == [f"controller{number}/w" for number in range(1, 6)]
    views_told = told["augmentation"]
    assert (views_told["views"], views_told["equal"], views_told["distinct"]) == (59, 59, 59)
    assert views_told["scores_equal"]
    assert views_told["straight_equal"], "a batch at a time, as the published way with the whole set in memory"
    assert views_told["sum"] < 1e-5


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_port_predicts_what_tensorflow_predicts(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    """Keyed weights, 512 real images; the largest relative difference is told.

    The modules' saturated softmaxes (:data:`SINGLE`) turn a few predictions in single precision, none in double.
    """
    inputs = real_inputs(shared, 512)
    np.save(tmp_path / "images.npy", inputs)
    names = MODELS if precision == "float32" else MODELS[1:]
    in_tensorflow("scores_in_tensorflow.py", str(tmp_path / "images.npy"), str(tmp_path), precision, *names)
    for name in names:
        expected = np.load(tmp_path / f"{name}.npy")
        model = getattr(model_torch, name)().eval()
        weights_torch.fill_keyed(model, "contract-1")
        model.to(getattr(torch, precision))
        with torch.no_grad():
            parts = [
                model(torch.from_numpy(inputs[start : start + 32].transpose(0, 3, 1, 2).astype(precision)))
                for start in range(0, len(inputs), 32)
            ]
        logits = torch.cat(parts).numpy()
        difference = np.abs(logits - expected).max() / np.abs(expected).max()
        changed = int((logits.argmax(axis=1) != expected.argmax(axis=1)).sum())
        with capsys.disabled():
            told = f"{precision}, largest relative difference of logits {difference:.2e}, {changed} predictions"
            print(f"\n{name}: {told}", end="")
        if precision == "float64":
            assert difference <= 1e-8
        assert changed == 0 if name == "resnet34v2" or precision == "float64" else changed <= 5
