"""One training step of the PyTorch port by the published recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]


def training(model: nn.Module, settings: dict[str, Any]) -> Step:
    """Return a function that does one step on the cross-entropy.

    Args:
        model: in training mode; where the recipe says ``trained``, only parameters whose name begins so.
        settings: the recipe (:mod:`pipelines.lhc_net.recipe`).

    Returns:
        ``step(inputs, labels)``, which leaves the gradients of its step in place and returns ``loss`` (scalar) and
        ``scores`` (logits, (N, 7)).
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(settings.get("trained", "")))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer: torch.optim.Optimizer
    if settings["optimizer"] == "SGD":
        optimizer = torch.optim.SGD(trained, lr=settings["learning_rate"])
    else:
        betas = (settings["betas"][0], settings["betas"][1])
        optimizer = torch.optim.Adam(trained, lr=settings["learning_rate"], betas=betas, eps=settings["epsilon"])

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        optimizer.zero_grad()
        scores = model(inputs)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        return {"loss": loss.detach(), "scores": scores.detach()}

    return step
