"""One training step of the benchmark's models by their published recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.rmn.radam_torch import RAdam

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]


def optimizer_of(model: nn.Module, settings: dict[str, Any]) -> torch.optim.Optimizer:
    """Return the recipe's optimiser over a model's parameters: the trainer's RAdam, or SGD for ImageNet."""
    if settings["optimizer"] == "SGD":
        return torch.optim.SGD(
            model.parameters(),
            settings["learning_rate"],
            momentum=settings["momentum"],
            weight_decay=settings["weight_decay"],
        )
    return RAdam(
        model.parameters(),
        settings["learning_rate"],
        (settings["betas"][0], settings["betas"][1]),
        settings["epsilon"],
        settings["weight_decay"],
    )


def training(model: nn.Module, settings: dict[str, Any]) -> Step:
    """Return a function that does one step of the recipe.

    Args:
        model: in training mode; changed in place. Of Inception-v3 the auxiliary head runs and is thrown away, so that
            its batch norms move, as published.
        settings: the recipe (:mod:`pipelines.rmn.recipe`).

    Returns:
        ``step(inputs, labels)``, which leaves the gradients of its step in place and returns ``loss`` (scalar) and
        ``scores`` (logits, (N, classes)).
    """
    optimizer = optimizer_of(model, settings)
    weights = settings["class_weights"]

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        optimizer.zero_grad()
        output = model(inputs)
        scores = output if isinstance(output, torch.Tensor) else output.logits
        balance = None if weights is None else torch.tensor(weights, dtype=scores.dtype, device=scores.device)
        loss = F.cross_entropy(scores, labels, balance)
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach(), "scores": scores.detach()}

    return step


class CentreLoss(nn.Module):
    """Pulls the features of a class towards a centre that is learned with them.

    ``L = (1 / B) sum_b clamp(|f_b - c_{y_b}|^2, 1e-12, 1e12)``, and each of the other classes adds the lower clamp, as
    the published masked distance matrix has it (``utils/center_loss.py``; defect R-CENTER).
    """

    def __init__(self, classes: int, features: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.randn(classes, features))

    def forward(self, features_BF: torch.Tensor, labels_B: torch.Tensor) -> torch.Tensor:
        """Return the loss, a scalar."""
        distances = (features_BF[:, None] - self.centers[None]).square().sum(dim=2)
        own = F.one_hot(labels_B, len(self.centers)).to(distances.dtype)
        return (distances * own).clamp(1e-12, 1e12).sum() / len(features_BF)
