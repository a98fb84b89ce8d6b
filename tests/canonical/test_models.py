"""Every torch model of every system in canonical arithmetic, next to float64 autograd and native float32."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro.canonical import canonical
from repro.registry import chosen_models, find_model, resolve
from repro.trace.keyed import keyed_image, keyed_tensor

NAMES = [f"{system.name}/{model.name}" for system, model in chosen_models(None, None) if model.framework == "torch"]
BATCH = 2


def built(name: str) -> tuple[nn.Module, torch.Tensor]:
    """Return a model with keyed weights in evaluation mode, where nothing is drawn, and keyed images."""
    _, model = find_model(name)
    network = resolve(model.build)().eval()
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(keyed_tensor(key, tuple(value.shape), "models", "oihw")))
    scale, shift = np.float32(model.contract_scale), np.float32(model.contract_shift)
    images = keyed_image((BATCH, *model.input_shape), "models") * scale + shift
    return network, torch.from_numpy(images)


def computed(network: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scores, and all gradients of the cross-entropy as one vector, in float64."""
    scores = network(images)
    scores = scores if isinstance(scores, torch.Tensor) else scores[0]
    F.cross_entropy(scores, torch.arange(BATCH)).backward()
    gradients = [p.grad.double().reshape(-1) for p in network.parameters() if p.grad is not None]
    return scores.detach().double(), torch.cat(gradients)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(one - other) / torch.linalg.vector_norm(other))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_scores_and_gradients_are_those_of_float64(name: str) -> None:
    """Scores within 1e-3 or 40 times native's error, gradients within 0.05: a maximum may lie in another place."""
    network, images = built(name)
    wide_scores, wide_gradient = computed(copy.deepcopy(network).double(), images.double())
    native_scores, native_gradient = computed(copy.deepcopy(network), images)
    with canonical():
        scores, gradient = computed(network, images)
        network.zero_grad()
        with torch.no_grad():
            alone = [network(image) for image in images.split(1)]
    parts = [one if isinstance(one, torch.Tensor) else one[0] for one in alone]
    assert torch.equal(torch.cat(parts).double(), scores), "the batch matters"
    found = (distance(scores, wide_scores), distance(gradient, wide_gradient))
    native = (distance(native_scores, wide_scores), distance(native_gradient, wide_gradient))
    print(f"{name}: scores {found[0]:.1e} (native {native[0]:.1e}), gradient {found[1]:.1e} (native {native[1]:.1e})")
    assert found[0] < max(1e-3, 40 * native[0])
    assert found[1] < max(0.05, 40 * native[1])
