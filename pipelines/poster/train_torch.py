"""One training step of POSTER V2 by its published recipe: sharpness-aware minimisation around Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]


class Sam(torch.optim.Optimizer):
    """Sharpness-aware minimisation (arXiv:2010.01412), not adaptive, around another optimiser.

    Upstream ``data_preprocessing/sam.py``. A step climbs to ``w + rho g / (|g| + 1e-12)``, takes the gradient there,
    goes back to ``w`` and lets the inner optimiser step with it. The weights before the climb are kept as ``old_p``.
    Unlike upstream's, the state dict holds the inner optimiser's moments as well (defect P-MOMENTS).
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], inner: type[torch.optim.Optimizer], rho: float, **options: Any
    ):
        super().__init__(parameters, {"rho": rho, **options})
        self.inner = inner(self.param_groups, **options)
        self.param_groups = self.inner.param_groups

    @torch.no_grad()
    def climb(self) -> None:
        """Move every parameter with a gradient to the point where the second gradient is taken."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            norm = torch.stack([parameter.grad.norm(p=2) for parameter in moved]).norm(p=2)
            scale = group["rho"] / (norm + 1e-12)
            for parameter in moved:
                self.state[parameter]["old_p"] = parameter.clone()
                parameter.add_(parameter.grad * scale)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Go back to where the climb began and step with the gradients at hand."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.copy_(self.state[parameter]["old_p"])
        self.inner.step()

    def state_dict(self) -> dict[str, Any]:
        """Return its own state and, as ``inner``, that of the optimiser inside."""
        return {**super().state_dict(), "inner": self.inner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore both."""
        super().load_state_dict({name: value for name, value in state.items() if name != "inner"})
        self.inner.load_state_dict(state["inner"])
        self.param_groups = self.inner.param_groups


def sam_of(model: nn.Module, settings: dict[str, Any]) -> Sam:
    """Return the recipe's optimiser over a model's parameters."""
    return Sam(
        model.parameters(),
        torch.optim.Adam,
        settings["rho"],
        lr=settings["learning_rate"],
        betas=(settings["betas"][0], settings["betas"][1]),
        eps=settings["epsilon"],
        weight_decay=settings["weight_decay"],
    )


def training(model: nn.Module, settings: dict[str, Any]) -> Step:
    """Return a function that does one step of SAM on the cross-entropy.

    Both passes are made in training mode: the frozen landmark network's batch norms move twice (defect P-BN) and
    the passes draw different drop-path masks (defect P-WD).

    Args:
        model: in training mode; changed in place.
        settings: the recipe (:mod:`pipelines.poster.recipe`).

    Returns:
        ``step(inputs, labels)``, which leaves the second pass's gradients in place and returns ``loss`` (scalar) and
        ``scores`` (logits, (N, outputs)) of the first pass, ``second_loss`` and ``second_scores`` of the other.
        The published scripts log the mean over both.
    """
    optimizer = sam_of(model, settings)

    def gradients(inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        optimizer.zero_grad()
        scores = model(inputs)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        return loss.detach(), scores.detach()

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        loss, scores = gradients(inputs, labels)
        optimizer.climb()
        second_loss, second_scores = gradients(inputs, labels)
        optimizer.step()
        return {"loss": loss, "scores": scores, "second_loss": second_loss, "second_scores": second_scores}

    return step
