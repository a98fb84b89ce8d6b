"""Parameters and operations, counted in the ways in which papers count them."""

from __future__ import annotations

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
    assert list(counted["FLOPs"].values()) == [products, 2 * products]
