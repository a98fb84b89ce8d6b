"""The forward pass of the Residual Masking Network's evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def predict(model: nn.Module, inputs: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """Return softmax scores, float32 (n, classes), summed over an image's views.

    Args:
        model: in evaluation mode.
        inputs: (n * views, 3, H, W), an image's views in a row.
        settings: ``views``: 0 where the image itself is given.
    """
    with torch.no_grad():
        scores = torch.softmax(model(inputs), dim=1)
    return scores.view(-1, settings["views"] or 1, scores.shape[1]).sum(dim=1)
