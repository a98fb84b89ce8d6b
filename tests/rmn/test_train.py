"""The training step that lets go of gradients and moments gives the bits of one that keeps them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pipelines.rmn import train_torch
from pipelines.rmn.recipe import CENTRE_LOSS, IMAGENET, RECIPE
from pipelines.rmn.train_torch import optimizer_of, training

STEPS = 8  # RAdam rectifies from the sixth on


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(54, 7)
    )


def batch(number: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    return torch.rand(4, 3, 8, 8, generator=generator), torch.arange(4) + number % 4


def plainly(settings: dict[str, Any]) -> nn.Module:
    model = network().train()
    optimizer, weights = optimizer_of(model.parameters(), settings), settings["class_weights"]
    for number in range(STEPS):
        inputs, labels = batch(number)
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), labels, None if weights is None else torch.tensor(weights)).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("settings", [RECIPE, CENTRE_LOSS, IMAGENET], ids=["fer", "centre loss", "imagenet"])
@pytest.mark.parametrize("known", [{}, {"steps": STEPS}], ids=["steps unknown", "steps known"])
@pytest.mark.parametrize("piece", [1 << 23, 60], ids=["whole", "in pieces"])
def test_steps_are_those_of_one_optimiser(
    settings: dict[str, Any], known: dict[str, int], piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_torch, "_PIECE", piece)
    expected, model = plainly(settings), network().train()
    step = training(model, {**settings, **known})
    for number in range(STEPS):
        step(*batch(number))
        assert all(parameter.grad is None for parameter in model.parameters())
    for name, value in expected.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_pieces_cover_a_tensor_and_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_torch, "_PIECE", 60)
    for shape in ((), (7,), (60,), (61,), (6, 3, 3, 3), (2, 100), (13, 60)):
        tensor = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
        pieces = train_torch._pieces(tensor)
        assert torch.equal(torch.cat([piece.reshape(-1) for piece in pieces]), tensor.reshape(-1))
        assert all(piece.numel() <= 60 or len(piece) == 1 for piece in pieces)
        pieces[0].fill_(-1.0)
        assert tensor.reshape(-1)[0] == -1, "they are views"


def test_a_model_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        model = network().train()
        alive = weakref.ref(model[0].weight)
        step = training(model, {**RECIPE, "steps": 1})
        step(*batch(0))
        del model, step
        assert alive() is None
    finally:
        gc.enable()
