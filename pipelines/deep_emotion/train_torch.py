"""Deep-Emotion's training by its published recipe: Adam on the cross-entropy, with class weights or without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.common.trainer_torch import Backward, Trainer

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
    optimizer = _optimizer(model, settings)

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        optimizer.zero_grad()
        scores = model(inputs)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach(), "scores": scores.detach()}

    return step


class DeepEmotionTrainer(Trainer):
    """Steps on the cross-entropy, weighted by class where the recipe says so (defect D-WEIGHTS)."""

    def __init__(self, model: nn.Module, settings: dict[str, Any], backward: Backward) -> None:
        super().__init__(model, backward, {"Adam": _optimizer(model, settings)})
        weights = settings["class_weights"]
        self._weights = None if weights is None else torch.tensor(weights, device=next(model.parameters()).device)

    def compute(self, inputs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and logits."""
        scores = self.model(inputs)
        return F.cross_entropy(scores, labels, self._weights), scores


def _optimizer(model: nn.Module, settings: dict[str, Any]) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        model.parameters(),
        lr=settings["learning_rate"],
        betas=(settings["betas"][0], settings["betas"][1]),
        eps=settings["epsilon"],
        weight_decay=settings["weight_decay"],
    )
