"""How Deep-Emotion was trained, as data (``main.py`` of the upstream repository)."""

from __future__ import annotations

from typing import Any

RECIPE: dict[str, Any] = {
    "loss": "cross-entropy",
    "optimizer": "Adam",
    "learning_rate": 0.005,
    "betas": [0.9, 0.999],
    "epsilon": 1e-8,
    "weight_decay": 0.0,
    "batch": 128,
    "epochs": 100,
    "schedule": None,
}
