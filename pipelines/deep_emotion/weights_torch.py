"""Published checkpoints of Deep-Emotion: bare state dicts, ``deep_emotion-{epochs}-{batch}-{rate}.pt``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from pipelines.common.checkpoint_torch import load_strictly, read_state_dict


def load(model: nn.Module, path: Path) -> dict[str, Any]:
    """Load a checkpoint strictly and return what it says of itself (nothing: it holds tensors alone).

    Raises:
        MissingFile, BadCheckpoint: see :mod:`pipelines.common.checkpoint_torch`.
    """
    load_strictly(model, read_state_dict(path), path.name)
    return {}
