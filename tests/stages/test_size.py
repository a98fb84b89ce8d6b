"""Parameters and operations, counted in the ways in which papers count them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from repro.stages.size_torch import count_size


class Odd(nn.Module):
    """Two names for one layer, a layer that never runs, and a parameter outside any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 2, 3, bias=False)
        self.same = self.one
        self.idle = nn.Linear(5, 7)
        self.bare = nn.Parameter(torch.zeros(11))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.one(x)


def test_each_way_of_counting() -> None:
    counted = count_size(Odd().eval(), torch.zeros(1, 1, 6, 6))
    assert list(counted["parameters"].values()) == [18 + 42 + 11, 18 + 18 + 42 + 11, 18]
    products = 4 * 4 * 2 * 9
    assert list(counted["FLOPs"].values()) == [products, 2 * products, products]


@pytest.mark.parametrize(
    ("layer", "shape", "operations"),
    [
        (nn.Conv2d(4, 6, 3, groups=2), (1, 4, 5, 5), 6 * 9 * 2 * 9),
        (nn.ConvTranspose2d(4, 2, 2, stride=2), (1, 4, 3, 3), 2 * 36 * 4 * 4),
        (nn.Linear(3, 5), (1, 7, 3), 7 * 5 * 3),
        (nn.BatchNorm2d(3), (1, 3, 2, 2), 4 * 12),
        (nn.BatchNorm2d(3, affine=False), (1, 3, 2, 2), 2 * 12),
        (nn.LayerNorm(6), (1, 2, 6), 4 * 12),
        (nn.PReLU(3), (1, 3, 2, 2), 12),
        (nn.Softmax(dim=-1), (1, 4, 6), 4 * (6 + 5 + 6)),
        (nn.AvgPool2d(2), (1, 3, 4, 4), 12),
        (nn.AdaptiveAvgPool2d(1), (1, 3, 4, 4), (16 + 1) * 3),
        (nn.GELU(), (1, 5), 0),
    ],
)
def test_operations_of_a_layer_are_those_that_thop_counts(
    layer: nn.Module, shape: tuple[int, ...], operations: int
) -> None:
    """The numbers are those that thop 0.1.1 gives for these layers."""
    assert list(count_size(nn.Sequential(layer).eval(), torch.zeros(shape))["FLOPs"].values())[-1] == operations
