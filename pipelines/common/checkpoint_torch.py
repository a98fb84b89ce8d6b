"""Read torch checkpoints as data only, and load them strictly. One way for all systems.

A published checkpoint is a state dict, or a dict that holds one beside an epoch, an optimiser's state and objects
of the training script. The weights are taken out by rule; the rest is told and not trusted.
"""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import nn

from pipelines.common.inert_pickle_torch import StandIn, inert_pickle
from repro.errors import BadCheckpoint, MissingFile, UnfitCheckpoint

WRAPPERS = ("state_dict", "net", "model", "model_state_dict")
"""Keys under which training scripts keep the state dict, where a file holds several; the first is taken."""

PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""

_OTHER_FORMATS = {
    b"\x89HDF": "an HDF5 file, as Keras writes them",
    b"<": "a web page or XML, not a download",
    b"PK\x05\x06": "an empty archive",
}
_TOLD_ITEMS, _TOLD_TEXT = 64, 200


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        source: the file's name.
        state: the model's tensors by name, wrappers and prefixes stripped; empty where the file has none.
        optimizer: the optimiser's state where that is all the file holds, else ``None``.
        told: what it says of itself beside the weights, as plain data: numbers and texts as they are, of tensors and
            objects the kind alone.
    """

    source: str
    state: dict[str, torch.Tensor]
    optimizer: Mapping[str, Any] | None
    told: dict[str, Any]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a torch file, zipped or of the old format; nothing in it is executed.

    Raises:
        MissingFile: there is no such file.
        BadCheckpoint: it is no torch file, is damaged, asks to call something, or holds no weights.
    """
    if not path.is_file():
        raise MissingFile(f"no checkpoint at {path}", next_step="give the path of a downloaded checkpoint")
    with path.open("rb") as file:
        content = _read(file, path)
    if not isinstance(content, Mapping):
        raise BadCheckpoint(
            f"{path}: expected a state dict or a dict that holds one, found {_kind(content)}",
            next_step="give a file that holds the state dict; a whole pickled model is not constructed",
        )
    if _is_optimizer(content):
        return Checkpoint(path.name, {}, content, {})
    state, told = _unwrapped(content, path)
    state, prefix = _without_prefixes(state)
    return Checkpoint(path.name, state, None, {**told, **({"prefix": prefix} if prefix else {})})


def load_checkpoint(model: nn.Module, path: Path) -> dict[str, Any]:
    """Read a checkpoint, load it strictly and return what it tells of itself.

    Raises:
        MissingFile, BadCheckpoint: as :func:`read_checkpoint` and :func:`load_strictly` say, or the file holds an
            optimiser's state and no weights.
    """
    checkpoint = read_checkpoint(path)
    if checkpoint.optimizer is not None:
        raise BadCheckpoint(
            f"{path}: holds an optimiser's state and no state dict", next_step="give the file that holds the weights"
        )
    load_strictly(model, checkpoint.state, checkpoint.source)
    return checkpoint.told


def load_strictly(model: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Copy a state dict into a model of exactly its names, shapes and dtypes.

    Raises:
        UnfitCheckpoint: lists every tensor that is missing, unexpected or of another shape or dtype.
        BadCheckpoint: lists every tensor that holds NaN or infinity.

    The model is unchanged where it raises.
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
        foreign = not state.keys() & wanted.keys()
        listed = f"none has its name; the file's first is {next(iter(state), 'none')}" if foreign else "; ".join(faults)
        raise UnfitCheckpoint(
            f"{source}: {len(faults)} of {len(wanted)} tensors do not fit {type(model).__name__}: {listed}",
            shapes={name: tuple(value.shape) for name, value in state.items()},
            next_step="check that the checkpoint is one of this model",
        )
    unusable = [told for name, value in state.items() if (told := _unusable(name, value))]
    if unusable:
        raise BadCheckpoint(
            f"{source}: {len(unusable)} of {len(state)} tensors hold NaN or infinity: {'; '.join(unusable)}",
            next_step="download it again; a model that was trained to this is no model",
        )
    model.load_state_dict(dict(state), strict=True)


def _read(file: BinaryIO, path: Path) -> Any:
    start = file.read(4)
    for magic, what in _OTHER_FORMATS.items():
        if start.startswith(magic):
            raise BadCheckpoint(f"{path}: is no torch file but {what}", next_step="give a torch checkpoint")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return torch.load(file, map_location="cpu", weights_only=True)
            except pickle.UnpicklingError:
                file.seek(0)
                # Archives that torch would execute or extract never come here: they fail above in another way.
                return torch.load(file, map_location="cpu", weights_only=False, pickle_module=inert_pickle)
    except BadCheckpoint as error:
        raise BadCheckpoint(f"{path}: {error.message}", next_step=error.next_step) from error
    except Exception as error:  # what a damaged pickle or archive raises is not limited to any kind
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadCheckpoint(
            f"{path}: not readable as a torch file, perhaps cut off or damaged ({first})",
            next_step="compare its size and digest with the published ones, or download it again",
        ) from error


def _is_state_dict(value: object) -> bool:
    """Tell whether a value is a non-empty mapping of names to tensors."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(one, torch.Tensor) for name, one in value.items())
    )


def _is_optimizer(value: object) -> bool:
    return isinstance(value, Mapping) and {"state", "param_groups"} <= value.keys()


def _unwrapped(content: Mapping[Any, Any], path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the state dict that a mapping is or holds, and what stands beside it."""
    if _is_state_dict(content):
        return dict(content), {}
    holders = [key for key, value in content.items() if isinstance(key, str) and _is_state_dict(value)]
    known = [key for key in WRAPPERS if key in holders]
    if not holders or (len(holders) > 1 and not known):
        others = f"; {', '.join(map(repr, holders))} could each be one" if holders else ""
        kinds = ", ".join(f"{key!r}: {_kind(value)}" for key, value in list(content.items())[:_TOLD_ITEMS])
        raise BadCheckpoint(
            f"{path}: expected named tensors or a state dict under one of {', '.join(WRAPPERS)}; found {kinds}{others}",
            next_step="give a file that holds the model's state dict",
        )
    key = known[0] if known else holders[0]
    beside = {str(other): _told(value) for other, value in content.items() if other != key}
    return dict(content[key]), {"wrapper": key, "beside": beside}


def _without_prefixes(state: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], str]:
    stripped = ""
    while prefix := next((one for one in PREFIXES if all(name.startswith(one) for name in state)), ""):
        state = {name.removeprefix(prefix): value for name, value in state.items()}
        stripped += prefix
    return state, stripped


def _told(value: object) -> Any:
    """Return metadata as plain data that JSON can hold."""
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value[:_TOLD_TEXT]
    if isinstance(value, list | tuple) and len(value) <= _TOLD_ITEMS:
        told = [_told(one) for one in value]
        if all(one is None or isinstance(one, bool | int | float | str) for one in told):
            return told
    return _kind(value)


def _kind(value: object) -> str:
    if isinstance(value, StandIn):
        return f"an object of {value.name}, not read"
    if isinstance(value, torch.Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}"
    if _is_optimizer(value):
        return "an optimiser's state"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _unusable(name: str, value: torch.Tensor) -> str:
    """Return where a tensor holds NaN or infinity; empty where it does not."""
    if not (value.is_floating_point() or value.is_complex()):
        return ""
    bad = ~torch.isfinite(value)
    count = int(bad.sum())
    return f"{name} in {count} places, first at {bad.nonzero()[0].tolist()}" if count else ""
