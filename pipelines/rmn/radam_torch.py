"""RAdam as the published trainer has it: rectified Adam with decoupled weight decay.

Source: Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", arXiv:1908.03265, Algorithm 2, in the
form of phamquiluan/ResidualMaskingNetwork at 9141618, ``utils/radam.py``. ``torch.optim.RAdam`` differs in where
epsilon stands, in the threshold of the rectification (length 5) and in the decay (``p - decay * rate * p`` first).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch


class RAdam(torch.optim.Optimizer):
    """Rectified Adam, one tensor at a time.

    Args:
        parameters: what to optimise.
        learning_rate, betas, epsilon, weight_decay: as in the paper; the decay is decoupled from the gradient.
    """

    def __init__(
        self,
        parameters: Iterable[torch.Tensor],
        learning_rate: float,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": learning_rate, "betas": betas, "eps": epsilon, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Do one step with the gradients at hand."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: torch.Tensor, group: dict[str, Any]) -> None:
        first, second = group["betas"]
        rate, decay = group["lr"], group["weight_decay"]
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        mean.mul_(first).add_(gradient, alpha=1 - first)
        state["step"] += 1
        factor, rectified = _factor(state["step"], first, second)
        if decay:
            parameter.add_(parameter, alpha=-decay * rate)
        if rectified:
            parameter.addcdiv_(mean, square.sqrt().add_(group["eps"]), value=-factor * rate)
        else:
            parameter.add_(mean, alpha=-factor * rate)


def _factor(step: int, first: float, second: float) -> tuple[float, bool]:
    """Return the step's factor of the learning rate, and whether the step is rectified."""
    longest = 2 / (1 - second) - 1
    power = second**step
    length = longest - 2 * step * power / (1 - power)
    if length < 5:
        return 1 / (1 - first**step), False
    variance = (1 - power) * (length - 4) / (longest - 4) * (length - 2) / length * longest / (longest - 2)
    return math.sqrt(variance) / (1 - first**step), True
