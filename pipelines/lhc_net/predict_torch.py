"""The forward pass of the PyTorch port's evaluation."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from repro.errors import UsageError


def predict(model: nn.Module, inputs: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """Return softmax scores, float32 (n, 7).

    Args:
        model: in evaluation mode.
        inputs: (n, 3, 224, 224).
        settings: ``augmentation``: ``None``; the views are made by TensorFlow's operations.

    Raises:
        UsageError: the protocol augments.
    """
    if settings["augmentation"] is not None:
        raise UsageError(
            "the PyTorch port has no test-time augmentation: its views are TensorFlow's",
            next_step="evaluate the port with --protocol plain, or the TensorFlow model with this one",
        )
    with torch.no_grad():
        return torch.softmax(model(inputs), dim=1)
