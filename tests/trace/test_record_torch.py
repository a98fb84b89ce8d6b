"""Gradients are recorded as the backward pass leaves them, whatever a training step does with them then."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from repro.digest import tensor_digest  # noqa: E402
from repro.trace.record_torch import Recorder  # noqa: E402


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2))


def loss(model: nn.Module, factor: float = 1.0) -> torch.Tensor:
    return factor * model(torch.arange(12.0).reshape(3, 4) / 12).square().sum()


def recorded(model: nn.Module) -> dict[str, str]:
    return {f"step/{name}": tensor_digest(p.grad) for name, p in model.named_parameters() if p.grad is not None}


def test_they_are_those_of_the_parameters_in_their_order() -> None:
    model, recorder = network(), Recorder()
    with recorder.gradients(model, "step"):
        loss(model).backward()
    assert list(recorder.trace().digests().items()) == list(recorded(model).items())
    assert {entry.operation for entry in recorder.trace()} == {"gradient"}


def test_they_may_be_used_up_as_they_come() -> None:
    model, kept, recorder = network(), network(), Recorder()
    loss(kept).backward()

    def use_up(parameter: torch.Tensor) -> None:
        parameter.grad = None

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(use_up)
    with recorder.gradients(model, "step"):
        loss(model).backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert recorder.trace().digests() == recorded(kept)


def test_what_has_none_is_left_out() -> None:
    model, recorder = network(), Recorder()
    model[0].requires_grad_(False)
    unused = nn.Linear(2, 2)
    with recorder.gradients(nn.Sequential(model, unused), "step"):
        loss(model).backward()
    assert list(recorder.trace().digests()) == ["step/0.2.weight", "step/0.2.bias", "step/0.4.weight", "step/0.4.bias"]


def test_of_two_backward_passes_the_last_counts() -> None:
    model, recorder = network(), Recorder()
    with recorder.gradients(model, "step"):
        loss(model).backward()
        model.zero_grad()
        loss(model, 3.0).backward()
    assert recorder.trace().digests() == recorded(model)


def test_what_breaks_off_leaves_neither_entries_nor_hooks() -> None:
    model, recorder = network(), Recorder()

    def broken() -> None:
        with recorder.gradients(model, "step"):
            loss(model).backward()
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    loss(model).backward()
    assert not recorder.trace().entries
