"""Load a checkpoint into a model, and say of one that does not fit whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from repro.errors import BadCheckpoint, UnfitCheckpoint
from repro.registry import resolve, systems
from repro.schema import Model, System


def load_checkpoint(system: System, model: Model, network: nn.Module, path: Path) -> dict[str, Any]:
    """Load a checkpoint strictly, as the model declares it, and return what it tells of itself.

    Raises:
        MissingFile, BadCheckpoint: it is not there, not sound, or not this model's. Where its names and shapes are
            those of another model, that one is named.
    """
    try:
        told: dict[str, Any] = resolve(model.load)(network, path)
    except UnfitCheckpoint as error:
        names = recognised(error.shapes)
        if not names:
            raise
        raise BadCheckpoint(
            f"{path.name}: this is {' or '.join(names)}, not {system.name}/{model.name}: "
            f"all {len(error.shapes)} names and shapes agree",
            next_step=f"evaluate it as {names[0]}",
        ) from error
    return told


def recognised(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Return the models ``system/model`` of exactly these tensors. They are built without memory for their weights."""
    found = []
    for system in systems().values():
        for model in system.models:
            if model.framework != "torch":
                continue
            with torch.device("meta"):
                state = resolve(model.build)().state_dict()
            if {name: tuple(value.shape) for name, value in state.items()} == shapes:
                found.append(f"{system.name}/{model.name}")
    return found
