"""Loading of the benchmark's checkpoints: ``torch.save`` of a dict with the state dict under ``net``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipelines.common.checkpoint_torch import load_strictly, read_checkpoint
from repro.errors import BadCheckpoint


def load(model: nn.Module, path: Path) -> dict[str, Any]:
    """Load a checkpoint strictly.

    The masking blocks' shortcuts are stored under two names (defect R-SHARED). A file in which the twins differ would
    be loaded as whichever comes last, so it is refused. What the file says of itself, its accuracies above all,
    may describe an epoch before (R-META): it is told and not used.

    Raises:
        MissingFile, BadCheckpoint: see :mod:`pipelines.common.checkpoint_torch`; or twins differ.
    """
    checkpoint = read_checkpoint(path)
    load_strictly(model, checkpoint.state, checkpoint.source)
    twins: dict[int, str] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        twin = twins.setdefault(id(value), name)
        if twin != name and not torch.equal(checkpoint.state[twin], checkpoint.state[name]):
            raise BadCheckpoint(
                f"{path.name}: {twin} and {name} are one tensor of the model, but differ in the file",
                next_step="the file was changed after training; get it from where it was published",
            )
    return checkpoint.told
