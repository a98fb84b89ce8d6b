"""The mode: what it refuses and how it says so, what it remembers, what it draws."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from repro.canonical import canonical, convolution, native, philox
from repro.canonical.elementwise import constant
from repro.errors import NoCanonicalForm, UnfitMachine


class Unspecified(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(x, 1)


class BackwardOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, g: torch.Tensor) -> torch.Tensor:
        return torch.cumsum(g, 0)


class Unspecific(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return BackwardOnly.apply(x)


def test_an_unknown_operation_is_named_with_its_module() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), Unspecified()))
    with canonical(), pytest.raises(NoCanonicalForm, match=r"aten::cumsum .*called by 1\.1 \(Unspecified\)"):
        model(torch.ones(2, 3))


def test_an_unknown_operation_in_the_backward_pass_is_named_with_the_module_that_made_it() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.ReLU(), Unspecific()), nn.Linear(3, 1))
    with canonical(), pytest.raises(NoCanonicalForm, match=r"aten::cumsum .*backward pass of 1\.1 \(Unspecific\)"):
        model(torch.ones(2, 3)).sum().backward()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_types_are_refused(dtype: torch.dtype) -> None:
    x = torch.ones(2, 2, dtype=dtype)
    with canonical(), pytest.raises(NoCanonicalForm, match=r"torch\.(b?float)(16|64) are not specified"):
        torch.exp(x)


def test_counters_of_other_types_are_kept() -> None:
    with canonical():
        steps = torch.zeros((), dtype=torch.int64)
        steps += 1
        assert int(steps * 3 % 2) == 1
        wide = torch.ones((), dtype=torch.float64) / 3 + 1
        assert float(wide) == 1 / 3 + 1
        with pytest.raises(NoCanonicalForm):
            torch.add(wide, wide, alpha=0.3)


def test_arguments_without_a_form_are_refused() -> None:
    x = torch.ones(1, 1, 4, 4)
    grid = torch.zeros(1, 2, 2, 2)
    refused = [
        lambda: F.gelu(x, approximate="tanh"),
        lambda: torch.addmm(x[0, 0], x[0, 0], x[0, 0], alpha=0.5),
        lambda: F.grid_sample(x, grid, mode="nearest", align_corners=False),
        lambda: F.grid_sample(x, grid, padding_mode="reflection", align_corners=False),
        lambda: torch.randint(3, (2,)),
        lambda: torch.linalg.vector_norm(x, 3),
        lambda: F.interpolate(x, scale_factor=1.3),
    ]
    with canonical():
        for act in refused:
            with pytest.raises(NoCanonicalForm, match="no canonical form"):
                act()


def test_autocast_is_refused() -> None:
    with torch.autocast("cpu"), pytest.raises(UnfitMachine, match="autocast is on"), canonical():
        pass


def test_a_process_that_flushes_denormals_is_refused() -> None:
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush denormals")
    try:
        with pytest.raises(UnfitMachine, match="flushed to zero"), canonical():
            pass
    finally:
        torch.set_flush_denormal(False)
    with canonical():
        pass


def test_the_mode_is_active_in_the_backward_pass_and_left_alone_afterwards() -> None:
    """Where autograd itself runs, and in no other thread of the program."""
    seen: list[str] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: object, types: object, args: tuple = (), kwargs: dict | None = None
        ) -> object:
            seen.append(str(func))
            return func(*args, **(kwargs or {}))  # type: ignore[operator]

    x, w = torch.rand(2, 3, 5, 5), torch.rand(4, 3, 3, 3, requires_grad=True)
    with Watch(), canonical():
        F.conv2d(x, w).sum().backward()
    assert not any("convolution" in name for name in seen)
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(torch.cumsum(torch.ones(3), 0)))
    with canonical():
        thread.start()
        thread.join()
    assert found[0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("change", ["optimiser", "data", "in place", "new data", "load"])
def test_a_changed_parameter_is_quantised_anew(change: str) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(36, 2)), torch.rand(2, 3, 5, 5)
    with canonical():
        before = model(x)
        with torch.no_grad():
            for parameter in model.parameters():
                if change == "optimiser":
                    parameter.grad = torch.ones_like(parameter)
                elif change == "data":
                    parameter.data.mul_(0.5)
                elif change == "in place":
                    parameter.mul_(0.5)
                elif change == "new data":
                    parameter.data = parameter.data * 0.5
            if change == "optimiser":
                torch.optim.SGD(model.parameters(), lr=0.1).step()
            elif change == "load":
                model.load_state_dict({name: value * 0.5 for name, value in model.state_dict().items()})
        after = model(x)
    with canonical():
        fresh = model(x)
    assert torch.equal(after, fresh)
    assert not torch.equal(after, before)


def test_weights_are_quantised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(made: Any) -> Any:
        return lambda *arguments, **options: calls.append(1) or made(*arguments, **options)

    monkeypatch.setattr(convolution, "weight_by_output", counted(convolution.weight_by_output))
    monkeypatch.setattr(native, "_pack_weight", counted(native._pack_weight))
    model, x = nn.Conv2d(3, 4, 3), torch.rand(2, 3, 5, 5)
    with canonical():
        for _ in range(3):
            model(x)
    assert len(calls) == 1


def test_masks_follow_the_sample_not_its_place() -> None:
    x = torch.ones(4, 3, 5)
    order = torch.tensor([2, 0, 3, 1])
    drawn = []
    for samples in (torch.arange(4), order):
        with canonical(seed=3) as mode:
            mode.begin_step(7, samples=samples + 100)
            drawn.append(F.dropout(x, 0.4))
    assert torch.equal(drawn[0][order], drawn[1])
    kept = drawn[0] != 0
    assert 0 < kept.sum() < kept.numel()
    assert (drawn[0][kept] == torch.tensor(1.0) / torch.tensor(0.6)).all()


def test_draws_differ_by_seed_step_and_turn() -> None:
    def draw(seed: int, step: int) -> list[torch.Tensor]:
        with canonical(seed=seed) as mode:
            mode.begin_step(step)
            return [torch.rand(64), torch.rand(64)]

    first = draw(1, 1)
    assert torch.equal(first[0], draw(1, 1)[0])
    others = [first[1], *draw(2, 1), *draw(1, 2)]
    assert all(not torch.equal(first[0], other) for other in others)
    assert ((first[0] >= 0) & (first[0] < 1)).all()


def test_initialisation_is_drawn_by_counters() -> None:
    with canonical(seed=5):
        one = nn.Linear(30, 20).weight
    with canonical(seed=5):
        other = nn.Linear(30, 20).weight
    assert torch.equal(one, other)
    assert one.abs().max() <= 30**-0.5


def test_lists_of_tensors_are_taken_one_by_one() -> None:
    torch.manual_seed(0)
    weights = [torch.rand(3, 4), torch.rand(5)]
    gradients = [torch.rand(3, 4), torch.rand(5)]
    results = []
    for together in (True, False):
        parameters = [nn.Parameter(weight.clone()) for weight in weights]
        with canonical():
            optimiser = torch.optim.AdamW(parameters, lr=0.1, foreach=together)
            for _ in range(3):
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient.clone()
                torch.nn.utils.clip_grad_norm_(parameters, 0.5, foreach=together)
                optimiser.step()
        results.append(parameters)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_normal_initialisers_draw_by_counters() -> None:
    """Stock initialisers draw from the mode: the seed and the order of operations tell all."""

    def made(seed: int) -> list[torch.Tensor]:
        with canonical(seed=seed):
            layer = nn.Conv2d(3, 8, 3)
            nn.init.kaiming_normal_(layer.weight)
            return [layer.weight.detach(), torch.randn(5), torch.rand(4)]

    torch.manual_seed(1)
    first = made(7)
    torch.manual_seed(2)
    assert all(torch.equal(a, b) for a, b in zip(first, made(7), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, made(8), strict=True))
    weight, deviation = first[0], (2 / 27) ** 0.5
    drawn = philox.normal(7, weight.shape, ordinal=2, step=0)  # the constructor drew the weight and the bias
    assert torch.equal(weight, (drawn.double() * constant(deviation)).float())
