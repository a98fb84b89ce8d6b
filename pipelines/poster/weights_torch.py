"""Published checkpoints of POSTER V2: ``{"state_dict": ...}`` with ``module.`` before every name, recorders beside.

What the published scripts call the best model is none: it is the optimiser's state (defect P-BEST). It is recognised,
and what it holds of the trained weights can be had by :mod:`pipelines.poster.recover_torch`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipelines.common.checkpoint_torch import load_strictly, read_checkpoint
from pipelines.poster.model_torch import PosterV2
from repro.errors import BadCheckpoint

_HEAD = "VIT.head.linear.weight"


def load(model: PosterV2, path: Path) -> dict[str, Any]:
    """Load a checkpoint strictly and return what it says of itself.

    Raises:
        MissingFile, BadCheckpoint: see :mod:`pipelines.common.checkpoint_torch`; or it is a ``model_best`` file.
    """
    checkpoint = read_checkpoint(path)
    if checkpoint.optimizer is not None:
        recovered = recovered_weights(model, checkpoint.optimizer, path.name)
        held = sum(tensor.numel() for tensor in recovered.values())
        total = sum(parameter.numel() for parameter in model.parameters())
        raise BadCheckpoint(
            f"{path}: this is POSTER's model_best: it holds only the optimiser's state (P-BEST). From its old_p, "
            f"{len(recovered)} of {len(model.state_dict())} tensors can be had, {held:,} of {total:,} parameters: "
            "no batch-norm statistics, nothing frozen, nothing without a gradient",
            next_step=f"give the run's ...model.pth; python -m pipelines.poster.recover_torch {path.name} OUT "
            "writes the part that is there, for diagnosis and not as the claim's model",
        )
    load_strictly(model, checkpoint.state, checkpoint.source)
    return checkpoint.told


def load_three(model: PosterV2, path: Path) -> dict[str, Any]:
    """Load a checkpoint for three classes, whose head has 7 outputs as published or 3 (defect P-HEAD).

    The file's shape tells which, and the model's head is made so.

    Raises:
        MissingFile, BadCheckpoint: as :func:`load`.
    """
    head = read_checkpoint(path).state.get(_HEAD)
    outputs = 3 if head is not None and head.shape == (3, model.VIT.head.linear.in_features) else 7
    if outputs != model.VIT.head.linear.out_features:
        model.VIT.head.linear = nn.Linear(model.VIT.head.linear.in_features, outputs)
    return {**load(model, path), "outputs": outputs}


def recovered_weights(model: nn.Module, optimizer: Mapping[str, Any], source: str) -> dict[str, torch.Tensor]:
    """Return the trained weights that SAM's state holds, by name.

    SAM swaps parameters for its stored copies, ``old_p``, which Adam then updates in place: after a step the copy
    of parameter ``i`` is the trained weight ``i``, in the order of ``model.parameters()``.

    Raises:
        BadCheckpoint: the state is of another model, or holds no such copies.
    """
    parameters = list(model.named_parameters())
    try:
        numbers = [number for group in optimizer["param_groups"] for number in group["params"]]
        state = dict(optimizer["state"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadCheckpoint(f"{source}: an optimiser's state of an unknown form ({error})") from error
    if len(numbers) != len(parameters):
        raise BadCheckpoint(
            f"{source}: an optimiser's state over {len(numbers)} parameters; the model has {len(parameters)}"
        )
    recovered = {}
    for number, (name, parameter) in zip(numbers, parameters, strict=True):
        held = state.get(number)
        weight = held.get("old_p") if isinstance(held, Mapping) else None
        if not isinstance(weight, torch.Tensor):
            continue
        if weight.shape != parameter.shape:
            raise BadCheckpoint(
                f"{source}: the copy of parameter {number} has shape {tuple(weight.shape)}; {name} has "
                f"{tuple(parameter.shape)}"
            )
        recovered[name] = weight.detach()
    if not recovered:
        raise BadCheckpoint(f"{source}: an optimiser's state without SAM's copies of the weights: nothing to recover")
    return recovered
