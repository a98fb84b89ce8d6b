"""Every model of the benchmark computes what its contract says, with names and shapes of the published checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipelines.rmn.system import SYSTEM
from repro.registry import resolve
from repro.schema import Model
from repro.trace.keyed import keyed_image, keyed_tensor

FAST = {"resnet18", "densenet121", "googlenet", "resnet50_pretrained_vgg"}
IN_CONTRACTS = [model for model in SYSTEM.models if model.name != "inception_v3_299" and model.dataset is None]
PARAMETERS = {
    "vgg19": 139_598_919,
    "efficientnet_b2b": 7_710_857,
    "googlenet": 5_607_079,
    "resnet34": 21_288_263,
    "inception_v3": 25_126_607,
    "bam_resnet50": 23_880_442,
    "densenet121": 6_961_031,
    "resnet152": 58_158_151,
    "cbam_resnet50": 26_054_967,
    "resmasking_dropout1": 137_796_423,
    "resnet50": 23_522_375,
    "resnet101": 42_514_503,
    "resattnet56": 29_776_071,
    "resnet18": 11_180_103,
    "resnet50_pretrained_vgg": 23_522_375,
}


@pytest.fixture(scope="module")
def contracts(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "contracts" / "rmn.json").read_text())  # type: ignore[no-any-return]


def keyed(model: Model, salt: str) -> nn.Module:
    network: nn.Module = resolve(model.build)().eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(keyed_tensor(name, tuple(value.shape), salt)))
    return network


def test_every_contract_has_its_model(contracts: dict[str, Any]) -> None:
    assert {f"rmn/{model.name}" for model in IN_CONTRACTS} == set(contracts)


@pytest.mark.parametrize(
    "model",
    [pytest.param(one, marks=[] if one.name in FAST else pytest.mark.slow, id=one.name) for one in IN_CONTRACTS],
)
def test_contract(contracts: dict[str, Any], model: Model) -> None:
    contract = contracts[f"rmn/{model.name}"]
    network = keyed(model, contract["salt"])
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == contract["state_dict"]
    assert sum(parameter.numel() for parameter in network.parameters()) == contract["parameters"]
    expected = np.array(contract["output"])
    image = torch.from_numpy(keyed_image(tuple(contract["input_shape"]), contract["salt"]))
    with torch.no_grad():
        single = network(image).numpy()
        double = network.double()(image.double()).numpy()
    scale = np.abs(expected).max()
    assert np.abs(double - expected).max() <= 1e-9 * scale
    assert np.abs(single - expected).max() <= 1e-4 * scale


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_of_the_table(name: str) -> None:
    with torch.device("meta"):
        network = resolve(SYSTEM.model(name).build)()
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


def test_the_state_dict_counts_shortcuts_twice() -> None:
    with torch.device("meta"):
        state = resolve(SYSTEM.model("resmasking_dropout1").build)().state_dict()
    assert len(state) == 740
    weights = sum(value.numel() for name, value in state.items() if value.is_floating_point())
    statistics = sum(value.numel() for name, value in state.items() if "running_" in name)
    assert weights - statistics == 142_943_431


def test_pooling_is_skipped_only_where_it_does_nothing() -> None:
    network = resolve(SYSTEM.model("alexnet").build)()
    stock = nn.AdaptiveAvgPool2d((6, 6))
    same, other = torch.rand(1, 2, 6, 6), torch.rand(1, 2, 8, 8)
    assert network.avgpool(same) is same
    assert torch.equal(stock(same), same)
    assert torch.equal(network.avgpool(other), stock(other))


def test_the_auxiliary_head_cannot_be_trained_at_224() -> None:
    network = resolve(SYSTEM.model("inception_v3").build)().train()
    with pytest.raises(RuntimeError, match="Kernel size"):
        network(torch.rand(2, 3, 224, 224))
    assert network(torch.rand(2, 3, 299, 299)).logits.shape == (2, 7)


def test_the_logits_of_the_centre_loss_network_do_not_use_its_features() -> None:
    network = keyed(SYSTEM.model("resnet18_centerloss"), "centre").eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        logits, features = network.logits_and_features(image)  # type: ignore[operator]
        network.center_loss_fc.weight.zero_()  # type: ignore[union-attr]
        assert torch.equal(network(image), logits)
    assert features.shape == (1, 2)
