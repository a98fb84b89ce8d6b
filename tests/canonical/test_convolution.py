"""Convolutions and their gradients: routes against each other and against float64 autograd."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch.nn import functional as F

from repro.canonical import convolution
from repro.canonical.convolution import Geometry
from repro.canonical.product import ONE_PASS


class Case(NamedTuple):
    samples: int
    inputs: int
    outputs: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1


CASES = [
    Case(2, 6, 8, (9, 7), (3, 3), padding=1),
    Case(2, 6, 8, (9, 9), (3, 3), stride=2, padding=1, groups=2),
    Case(3, 8, 8, (11, 11), (3, 3), padding=2, dilation=2, groups=8),
    Case(2, 4, 6, (5, 5), (1, 1)),
    Case(2, 4, 6, (6, 6), (1, 1), stride=2),
    Case(1, 3, 5, (20, 20), (7, 7), stride=2, padding=3),
    Case(2, 3, 4, (12,), (5,), padding=2),
    Case(1, 2, 3, (5, 6, 7), (3, 2, 3), padding=1),
    Case(2, 4, 4, (7, 7), (1, 3), padding=1),
]


def drawn(case: Case) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Geometry]:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(case.samples, case.inputs, *case.size, generator=generator)
    weight = torch.randn(case.outputs, case.inputs // case.groups, *case.kernel, generator=generator)
    bias = torch.randn(case.outputs, generator=generator)
    return x, weight, bias, Geometry.of(weight, [case.stride], [case.padding], [case.dilation], case.groups)


def native(case: Case, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    act = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(case.kernel)]
    return act(x, weight, bias, case.stride, case.padding, case.dilation, case.groups)


@pytest.mark.parametrize("case", CASES)
def test_against_float64_and_by_both_routes(case: Case) -> None:
    x, weight, bias, geometry = drawn(case)
    wide_x, wide_w = x.double().requires_grad_(), weight.double().requires_grad_()
    expected = native(case, wide_x, wide_w, bias.double())
    y = convolution.convolve(x, weight, bias, geometry)
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(8))
    expected.backward(dy.double())
    dx = convolution.convolve_back(dy, weight, None, geometry, x.shape[2:])
    dw = convolution.weight_gradient(x, dy, weight.shape, geometry)
    for found, wide in ((y, expected), (dx, wide_x.grad), (dw, wide_w.grad)):
        torch.testing.assert_close(found.double(), wide, rtol=1e-4, atol=2e-4)
    assert torch.equal(y, convolution.convolve(x, weight, bias, geometry, route="int8"))
    assert torch.equal(dx, convolution.convolve_back(dy, weight, None, geometry, x.shape[2:], route="int8"))
    assert torch.equal(dw, convolution.weight_gradient(x, dy, weight.shape, geometry, route="int8"))


@pytest.mark.parametrize("channels", [ONE_PASS // 4, ONE_PASS // 4 + 1, ONE_PASS // 2 + 3])
def test_long_contractions_of_extremes(channels: int) -> None:
    """K = 8192, 8196 and 16396, every operand at the bound: chunks and the plain sum of integers agree."""
    x = torch.full((1, channels, 2, 2), 1.0)
    weight = torch.full((1, channels, 2, 2), -1.0)
    weight[0, -1] = 2.0**-20
    geometry = Geometry.of(weight, [1], [0], [1], 1)
    whole = 4 * 2.0**-20 - 4 * (channels - 1)
    for route in ("float64", "int8"):
        y = convolution.convolve(x, weight, None, geometry, route=route)  # type: ignore[arg-type]
        assert float(y) == float(torch.tensor(whole).float())
    dy = torch.full((channels, channels, 1, 1), 1.0)[:2]
    back = torch.full((channels, 3, 2, 2), -1.0)
    one, other = (
        convolution.convolve_back(dy, back, None, Geometry.of(back, [1], [0], [1], 1), (2, 2), route=route)
        for route in ("float64", "int8")  # type: ignore[arg-type]
    )
    assert torch.equal(one, other)
    assert float(one[0, 0, 0, 0]) == -channels


def test_samples_do_not_see_each_other() -> None:
    x, weight, bias, geometry = drawn(CASES[0])
    together = convolution.convolve(x, weight, bias, geometry)
    alone = torch.cat([convolution.convolve(each, weight, bias, geometry) for each in x.split(1)])
    assert torch.equal(together, alone)
    x[0, 0, 0, 0] = torch.nan
    poisoned = convolution.convolve(x, weight, bias, geometry)
    assert poisoned[0].isnan().all()
    assert torch.equal(poisoned[1], together[1])


def test_the_memory_limit_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias, geometry = drawn(CASES[2])
    y = convolution.convolve(x, weight, bias, geometry)
    dw = convolution.weight_gradient(x, y, weight.shape, geometry)
    dx = convolution.convolve_back(y, weight, None, geometry, x.shape[2:])
    monkeypatch.setattr(convolution, "BLOCK_VALUES", 1)
    assert torch.equal(y, convolution.convolve(x, weight, bias, geometry))
    assert torch.equal(dw, convolution.weight_gradient(x, y, weight.shape, geometry))
    assert torch.equal(dx, convolution.convolve_back(y, weight, None, geometry, x.shape[2:]))
