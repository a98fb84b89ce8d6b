"""One training step of the benchmark's models by their published recipes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pipelines.rmn.radam_torch import RAdam

_PIECE = 1 << 23  # values of a parameter that are updated at a time

Step = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]


def optimizer_of(parameters: Iterable[torch.Tensor], settings: dict[str, Any]) -> torch.optim.Optimizer:
    """Return the recipe's optimiser: the trainer's RAdam, or SGD for ImageNet."""
    if settings["optimizer"] == "SGD":
        return torch.optim.SGD(
            parameters,
            settings["learning_rate"],
            momentum=settings["momentum"],
            weight_decay=settings["weight_decay"],
        )
    return RAdam(
        parameters,
        settings["learning_rate"],
        (settings["betas"][0], settings["betas"][1]),
        settings["epsilon"],
        settings["weight_decay"],
    )


def training(model: nn.Module, settings: dict[str, Any]) -> Step:
    """Return a function that does one step of the recipe.

    A parameter is updated as soon as its gradient is whole, which is then let go, and after the last step so is what
    the optimiser keeps: of a large model these are three times its weights. What the backward pass still needs of a
    parameter has been read by then, or autograd raises an error.

    Args:
        model: in training mode; changed in place. Of Inception-v3 the auxiliary head runs and is thrown away, so that
            its batch norms move, as published.
        settings: the recipe (:mod:`pipelines.rmn.recipe`); ``steps``: how many will be done, where that is known.

    Returns:
        ``step(inputs, labels)``, which returns ``loss`` (scalar) and ``scores`` (logits, (N, classes)) and leaves no
        gradients.
    """
    optimizers: dict[torch.Tensor, list[tuple[torch.Tensor, torch.optim.Optimizer]]] = {
        parameter: [(piece, optimizer_of([piece], settings)) for piece in _pieces(parameter)]
        for parameter in model.parameters()
        if parameter.requires_grad
    }
    weights = settings["class_weights"]
    left = settings.get("steps", math.inf)

    def update(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        for (piece, optimizer), gradient in zip(optimizers[parameter], _pieces(parameter.grad), strict=True):
            piece.grad = gradient
            optimizer.step()
            piece.grad = None
            if left == 0:
                optimizer.state.clear()
        parameter.grad = None

    def step(inputs: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        nonlocal left
        left -= 1
        model.zero_grad()
        output = model(inputs)
        scores = output if isinstance(output, torch.Tensor) else output.logits
        balance = None if weights is None else torch.tensor(weights, dtype=scores.dtype, device=scores.device)
        loss = F.cross_entropy(scores, labels, balance)
        updates = [parameter.register_post_accumulate_grad_hook(update) for parameter in optimizers]
        try:
            loss.backward()
        finally:
            for one in updates:  # left in place they would keep the model from being freed
                one.remove()
        return {"loss": loss.detach(), "scores": scores.detach()}

    return step


def _pieces(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return views of a tensor, cut along its first axis, of few enough values that moments of them are small."""
    if tensor.numel() <= _PIECE:
        return (tensor.detach(),)
    return tensor.detach().split(max(1, _PIECE * len(tensor) // tensor.numel()))


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
