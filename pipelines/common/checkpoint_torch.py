"""Read torch checkpoints as data only, and load them strictly."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from repro.errors import BadCheckpoint, MissingFile

_LISTED = 8


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a ``.pt`` file that holds one state dict; runs no code from it.

    Raises:
        MissingFile: there is no such file.
        BadCheckpoint: it is no torch file, is damaged, or holds anything but named tensors.
    """
    if not path.is_file():
        raise MissingFile(f"no checkpoint at {path}", next_step="give the path of a downloaded checkpoint")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadCheckpoint(
            f"{path}: not readable as a file of tensors alone ({first})",
            next_step="download it again; a file that needs a bare unpickle is never loaded",
        ) from error
    if not isinstance(state, Mapping):
        raise BadCheckpoint(f"{path}: expected a state dict, found a {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise BadCheckpoint(
                f"{path}: expected named tensors, found {name!r}: {type(value).__name__}",
                next_step="give a file that holds the state dict alone",
            )
    return dict(state)


def load_strictly(model: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Copy a state dict into a model of exactly its names, shapes and dtypes.

    Raises:
        BadCheckpoint: lists what is missing, unexpected or of another shape or dtype; the model is unchanged.
    """
    wanted = model.state_dict()
    faults = [f"{name} is missing" for name in wanted if name not in state]
    faults += [f"{name} is unexpected" for name in state if name not in wanted]
    for name, have in state.items():
        want = wanted.get(name)
        if want is None:
            continue
        if want.shape != have.shape:
            faults.append(f"{name} has shape {tuple(have.shape)}, expected {tuple(want.shape)}")
        elif want.dtype != have.dtype:
            faults.append(f"{name} is {have.dtype}, expected {want.dtype}")
    if faults:
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise BadCheckpoint(
            f"{source}: {len(faults)} of {len(wanted)} tensors do not fit {type(model).__name__}: "
            + "; ".join(faults[:_LISTED])
            + more,
            next_step="check that the checkpoint is one of this model",
        )
    model.load_state_dict(dict(state), strict=True)
