"""A network held to decisions: its own change nothing, another's are taken, and what does not fit is refused."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.canonical.decisions import Decisions


class Everything(nn.Module):
    """Every kind of decision."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3)
        self.leaky = nn.PReLU(4)
        self.second = nn.Conv2d(4, 3, 3)
        self.theta = nn.Parameter(torch.tensor([[0.9, 0.2, 0.1], [-0.1, 1.1, -0.2]]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(F.max_pool2d(self.leaky(self.first(x)), 3, stride=2, padding=1))
        grid = F.affine_grid(self.theta.expand(len(x), 2, 3), list(x.shape), align_corners=False)
        x = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        channel = x.max(dim=1)[0] + torch.max(x, 1, keepdim=True).values.squeeze(1)
        x = F.relu(x - 0.1, inplace=True) * F.relu(channel).unsqueeze(1)
        return F.adaptive_max_pool2d(x, 2).flatten(1)


def gradient(network: nn.Module, x: Tensor) -> Tensor:
    network.zero_grad()
    network(x).square().sum().backward()
    return torch.cat([p.grad.reshape(-1) for p in network.parameters() if p.grad is not None])


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    return Everything().double()


def test_its_own_decisions_change_nothing(network: nn.Module) -> None:
    x = torch.randn(2, 2, 16, 16, dtype=torch.float64)
    plain = gradient(network, x)
    with Decisions() as taken:
        recorded = gradient(network, x)
    with Decisions(taken):
        held = gradient(network, x)
    assert len(taken.recorded) == 8
    assert torch.equal(plain, recorded)
    torch.testing.assert_close(held, plain, rtol=1e-12, atol=1e-12)


def test_the_decisions_of_other_images_are_taken(network: nn.Module) -> None:
    x, other = torch.randn(2, 2, 2, 16, 16, dtype=torch.float64)
    with Decisions() as taken:
        gradient(network, other)
    with Decisions(taken):
        held = gradient(network, x)
    assert (held - gradient(network, x)).norm() > 0.1 * held.norm()


def test_what_does_not_fit_is_refused(network: nn.Module) -> None:
    with Decisions() as taken:
        network(torch.randn(2, 2, 16, 16, dtype=torch.float64))
    with pytest.raises(AssertionError, match="recorded was"), Decisions(taken):
        network(torch.randn(2, 2, 18, 18, dtype=torch.float64))
    with pytest.raises(AssertionError, match="8 decisions were not taken"), Decisions(taken):
        pass
