"""POSTER V2's models against their contracts, and what a training step does to them. One model in memory at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipelines.poster.model_torch import PosterV2
from pipelines.poster.predict_torch import diagnose, predict
from pipelines.poster.system import SYSTEM
from pipelines.poster.train_torch import Sam, training
from repro.registry import resolve
from repro.stages.size_torch import count_size
from repro.trace.keyed import keyed_image, keyed_tensor


def keyed(model: nn.Module, salt: str) -> nn.Module:
    """Fill a model in place, in evaluation mode."""
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(keyed_tensor(name, tuple(value.shape), salt, "oihw")))
    return model.eval()


@pytest.fixture(scope="module")
def contracts(shared: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((shared / "contracts" / "poster.json").read_text())
    return loaded


@pytest.mark.parametrize("name", ["poster_v2_7cls", "poster_v2_8cls", "poster_v2_3cls"])
def test_contract(contracts: dict[str, Any], name: str) -> None:
    contract, declared = contracts[f"poster/{name}"], SYSTEM.model(name)
    model = keyed(resolve(declared.build)(), contract["salt"])
    state = model.state_dict()
    assert {one: list(value.shape) for one, value in state.items()} == contract["state_dict"]
    assert list(state) == list(contract["state_dict"]), "the order is that of an optimiser's parameter numbers"
    assert sum(parameter.numel() for parameter in model.parameters()) == contract["parameters"]
    assert contract["input_shape"][1:] == list(declared.input_shape)
    image, expected = keyed_image(tuple(contract["input_shape"]), contract["salt"]), np.array(contract["output"])
    assert expected.shape[1] == declared.num_classes == len(SYSTEM.classes_of(declared))
    with torch.no_grad():
        single = model(torch.from_numpy(image)).numpy()
        double = model.double()(torch.from_numpy(image.astype(np.float64))).numpy()
    assert np.abs(double - expected).max() / np.abs(expected).max() < 1e-9
    assert np.abs(single - expected).max() / np.abs(expected).max() < 1e-4


@pytest.fixture(scope="module")
def model() -> PosterV2:
    torch.manual_seed(0)
    return PosterV2(7)


def _images(count: int) -> torch.Tensor:
    return torch.from_numpy(keyed_image((count, 3, 224, 224), "images"))


def test_published_parameters_are_those_of_the_layers_that_run(model: PosterV2) -> None:
    """P-PARAMS: 58,316,594 are built; the published 43.7 M are 43,724,311."""
    counted = count_size(model.eval(), _images(1))
    assert counted["parameters"]["every parameter once"] == 58_316_594
    assert counted["parameters"]["parameters of the layers that one forward pass runs"] == 43_724_311
    by_thop = {how: value for how, value in counted["FLOPs"].items() if "thop" in how}
    assert list(by_thop.values()) == [8_482_266_176], "as thop itself counts; the published 8.4 G, cut"


def test_three_pixels_in_four_are_never_read(model: PosterV2) -> None:
    assert diagnose(model.eval(), _images(2))["change_without_odd_rows_and_columns"] == 0.0
    moved = _images(1)
    moved[..., ::2, ::2] += 0.1
    with torch.no_grad():
        assert not torch.equal(model(moved), model(_images(1)))


def test_corrected_answers_are_among_the_classes_there_are(model: PosterV2) -> None:
    three = {"num_labels": 3}
    model.eval()
    kept = predict(model, _images(1), {**SYSTEM.protocol("student-as-published").settings, **three})
    mended = predict(model, _images(1), {**SYSTEM.protocol("student-corrected").settings, **three})
    assert kept.shape == (1, 7)
    assert torch.equal(mended, kept[:, :3])


def test_a_step_moves_what_is_trained_and_the_frozen_networks_statistics(model: PosterV2) -> None:
    """P-BN and the counts of P-PARAMS: trainable, and reached by a gradient."""
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    values = training(model, SYSTEM.model("poster_v2_7cls").training_settings)(_images(2), torch.tensor([0, 6]))
    assert values["loss"].shape == ()
    assert not torch.equal(values["loss"], values["second_loss"]), "the second pass is at another point"
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    frozen = {name for name in moved if name.startswith("face_landback.")}
    assert {name.rpartition(".")[2] for name in frozen} == {"running_mean", "running_var", "num_batches_tracked"}
    assert sum(not name.endswith("num_batches_tracked") for name in frozen) == 100
    assert int(model.state_dict()["face_landback.conv1.bn.num_batches_tracked"]) == 2, "twice a step"
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trainable) == 57_309_346
    assert sum(parameter.numel() for parameter in trainable if parameter.grad is not None) == 42_842_709


def test_sam_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    inputs, labels = torch.randn(4, 3), torch.tensor([0, 1, 1, 0])
    recipe = {**SYSTEM.model("poster_v2_7cls").training_settings, "learning_rate": 0.01}
    step, adam = training(ours, recipe), torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(3):
        step(inputs, labels)
        start = {name: value.detach().clone() for name, value in theirs.named_parameters()}
        nn.functional.cross_entropy(theirs(inputs), labels).backward()
        norm = torch.cat([p.grad.flatten() for p in theirs.parameters()]).norm()
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter += 0.05 * parameter.grad / norm
        adam.zero_grad()
        nn.functional.cross_entropy(theirs(inputs), labels).backward()
        theirs.load_state_dict(start)
        adam.step()
        adam.zero_grad()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)


def test_sams_state_holds_adams_moments_and_comes_back() -> None:
    def run(steps: int, resume_after: int | None) -> list[torch.Tensor]:
        torch.manual_seed(0)
        net = nn.Linear(3, 2)
        optimizer = Sam(net.parameters(), torch.optim.Adam, 0.05, lr=0.01)
        for number in range(steps):
            for finish in (optimizer.climb, optimizer.step):
                optimizer.zero_grad()
                net(torch.full((2, 3), number + 1.0)).pow(2).sum().backward()
                finish()
            if number == resume_after:
                kept, weights = optimizer.state_dict(), net.state_dict()
                assert {"exp_avg", "exp_avg_sq", "step"} <= kept["inner"]["state"][0].keys()
                net = nn.Linear(3, 2)
                net.load_state_dict(weights)
                optimizer = Sam(net.parameters(), torch.optim.Adam, 0.05, lr=0.5)
                optimizer.load_state_dict(kept)
        return [parameter.detach().clone() for parameter in net.parameters()]

    assert all(torch.equal(*pair) for pair in zip(run(4, None), run(4, 1), strict=True))


def test_drop_path_is_drawn_for_each_sample_of_a_level() -> None:
    from pipelines.poster.model_torch import _DropPath

    torch.manual_seed(0)
    dropped = _DropPath(0.25).train()(torch.ones(400, 2, 3))
    kept = dropped[:, 0, 0] != 0
    assert 0.65 < kept.float().mean() < 0.85
    assert torch.equal(dropped[kept], torch.full((int(kept.sum()), 2, 3), 1 / 0.75))
    assert torch.equal(_DropPath(0.25).eval()(torch.ones(2, 2, 3)), torch.ones(2, 2, 3))
