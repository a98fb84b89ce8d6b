"""One training step of Deep-Emotion by its published recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]


def training(model: nn.Module, settings: dict[str, Any]) -> Step:
    """Return a function that does one step of Adam on the cross-entropy.

    Args:
        model: in training mode; changed in place.
        settings: the recipe (``recipe.RECIPE``).

    Returns:
        ``step(inputs, labels)``, which leaves the gradients of its step in place and returns
        ``loss`` (scalar) and ``scores`` (logits, (N, 7)).
    """
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=settings["learning_rate"],
        betas=(settings["betas"][0], settings["betas"][1]),
        eps=settings["epsilon"],
        weight_decay=settings["weight_decay"],
    )

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        optimizer.zero_grad()
        scores = model(inputs)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach(), "scores": scores.detach()}

    return step
