"""Stock and published optimisers next to the same ones in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from repro.canonical import canonical
from repro.canonical.optimisers import StepCount

Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


class RectifiedAdam(torch.optim.Optimizer):
    """The elementwise sequence of the rectified Adam that circulates as ``radam.py`` (Liu et al., 2019)."""

    def __init__(self, parameters: list[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 1e-4})

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for parameter in group["params"]:
                gradient, wide, state = parameter.grad.data, parameter.data.float(), self.state[parameter]
                if not state:
                    state.update(step=0, mean=torch.zeros_like(wide), square=torch.zeros_like(wide))
                state["step"] += 1
                state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
                state["mean"].mul_(beta1).add_(gradient, alpha=1 - beta1)
                limit = 2 / (1 - beta2) - 1
                power = beta2 ** state["step"]
                length = limit - 2 * state["step"] * power / (1 - power)
                wide.add_(wide, alpha=-group["weight_decay"] * group["lr"])
                if length >= 5:
                    ratio = (length - 4) / (limit - 4) * (length - 2) / length * limit / (limit - 2)
                    size = math.sqrt((1 - power) * ratio) / (1 - beta1 ** state["step"])
                    wide.addcdiv_(state["mean"], state["square"].sqrt().add_(group["eps"]), value=-size * group["lr"])
                else:
                    wide.add_(state["mean"], alpha=-group["lr"] / (1 - beta1 ** state["step"]))
                parameter.data.copy_(wide)


class Sharpness:
    """Sharpness-aware minimisation around SGD (Foret et al., 2020), as its common implementation does it."""

    def __init__(self, parameters: list[nn.Parameter], radius: float = 0.05) -> None:
        self.base = torch.optim.SGD(parameters, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
        self.parameters, self.radius = parameters, radius

    @torch.no_grad()
    def climb(self) -> None:
        norm = torch.norm(torch.stack([p.grad.norm(p=2) for p in self.parameters if p.grad is not None]), p=2)
        scale = self.radius / (norm + 1e-12)
        self.moved = [p.grad * scale.to(p) for p in self.parameters if p.grad is not None]
        for parameter, step in zip(self.parameters, self.moved, strict=True):
            parameter.add_(step)

    @torch.no_grad()
    def step(self) -> None:
        for parameter, step in zip(self.parameters, self.moved, strict=True):
            parameter.sub_(step)
        self.base.step()


MAKERS: dict[str, Make] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "damped SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1, maximize=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-3),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "rectified Adam": lambda p: RectifiedAdam(p, lr=0.01),
}


def network(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 4)).to(dtype)


def data(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(5, 6, generator=generator).to(dtype), torch.tensor([0, 1, 2, 3, 0])


def train(make: Make, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
    optimiser = make(list(model.parameters()))
    for _ in range(12):
        optimiser.zero_grad()
        F.cross_entropy(model(inputs), labels).backward()
        optimiser.step()


@pytest.mark.parametrize("name", MAKERS)
def test_optimisers_follow_their_float64_selves(name: str) -> None:
    expected, found = network(torch.float64), network(torch.float32)
    train(MAKERS[name], expected, *data(torch.float64))
    inputs, labels = data(torch.float32)
    with canonical():
        train(MAKERS[name], found, inputs, labels)
    for one, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-3, atol=1e-4)


def test_sharpness_aware_minimisation() -> None:
    results = []
    for dtype in (torch.float64, torch.float32):
        model, (inputs, labels) = network(dtype), data(dtype)
        sharpness = Sharpness(list(model.parameters()))

        with canonical() if dtype == torch.float32 else nullcontext():
            for _ in range(6):
                for act in (sharpness.climb, sharpness.step):
                    model.zero_grad()
                    F.cross_entropy(model(inputs), labels).backward()
                    act()
        results.append(list(model.parameters()))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("beta", "count"), [(0.9, 1), (0.9, 17), (0.999, 400)])
def test_powers_of_step_counts_are_repeated_products(beta: float, count: int) -> None:
    product = 1.0
    for _ in range(count):
        product = float(Fraction(product) * Fraction(beta))
    power = beta ** StepCount(count)
    assert power == product
    correction = 1 - power
    assert correction == 1 - product
    assert correction**0.5 == math.sqrt(1 - product)


def test_the_library_is_left_as_it_was() -> None:
    from torch.optim import adam

    before = adam._get_value
    with canonical():
        assert adam._get_value is not before
    assert adam._get_value is before
