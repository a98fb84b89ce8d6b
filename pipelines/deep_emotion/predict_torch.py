"""The forward pass of Deep-Emotion's evaluation, and a look at what its transformer does."""

from __future__ import annotations

from typing import Any

import torch

from pipelines.deep_emotion.model_torch import DeepEmotion


def predict(model: DeepEmotion, inputs: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """Return softmax scores, float32 (n, 7).

    Args:
        model: in evaluation mode.
        inputs: (n, 1, 48, 48).
        settings: ``dropout``: whether dropout stays on, as the published code leaves it.
    """
    model.dropout.on_in_evaluation = bool(settings["dropout"])
    with torch.no_grad():
        return torch.softmax(model(inputs), dim=1)


def diagnose(model: DeepEmotion, inputs: torch.Tensor) -> dict[str, Any]:
    """Return how much the affine map varies over images: 0 where the transformer is a constant crop (D-STN).

    ``theta_spread`` is the largest difference, over images, of any of the six numbers.
    """
    with torch.no_grad():
        theta = model.theta(inputs).flatten(1)
    spread = theta.max(dim=0).values - theta.min(dim=0).values
    return {"theta_spread": float(spread.max()), "theta_mean": [float(value) for value in theta.mean(dim=0)]}
