"""The forward pass of POSTER V2's evaluation, and a look at what it does not read."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def predict(model: nn.Module, inputs: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """Return logits, float32 (n, outputs).

    Args:
        model: in evaluation mode.
        inputs: (n, 3, height, width).
        settings: ``answers``: ``all`` outputs, or those of the ``classes`` there are: the student's models for three
            classes have seven outputs (defect P-HEAD). ``num_labels`` is how many there are.
    """
    with torch.no_grad():
        logits: torch.Tensor = model(inputs)
    return logits if settings["answers"] == "all" else logits[:, : settings["num_labels"]]


def diagnose(model: nn.Module, inputs: torch.Tensor) -> dict[str, Any]:
    """Return the largest change of a logit when odd rows and columns are set to 0 (P-NEAREST: none, in 224 x 224).

    Two images are enough.
    """
    seen = inputs[:2].clone()
    with torch.no_grad():
        before = model(seen)
        seen[..., 1::2, :] = 0
        seen[..., 1::2] = 0
        after = model(seen)
    return {"change_without_odd_rows_and_columns": float((after - before).abs().max())}
