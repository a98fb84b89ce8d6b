"""Weights of the PyTorch port: keyed ones, and those of TensorFlow checkpoints that were converted to safetensors.

A safetensors file holds the variables under TensorFlow's names and in its layout, so that it is the same checkpoint in
another container; :mod:`pipelines.lhc_net.convert_tensorflow` writes and reads it on the other side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import nn

from pipelines.common.checkpoint_torch import load_strictly
from pipelines.lhc_net.names import backbone_names, from_torch, to_torch, torch_name
from repro.errors import BadCheckpoint, MissingFile
from repro.trace.keyed import keyed_tensor

_KEYED_FACTOR = np.float32(2.0**-6)


def tensorflow_names(model: nn.Module) -> dict[str, str]:
    """Return the published name of each of the port's tensors."""
    backbone = not getattr(model, "controlled", False) and not hasattr(model.get_submodule("conv1"), "LHC_Module")
    keras = {new: old for old, new in backbone_names().items()} if backbone else {}
    found = {}
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        path, _, leaf = name.rpartition(".")
        norm = f"{path}.running_mean" in model.state_dict()
        leaves = {"weight": "gamma" if norm else "kernel", "bias": "beta" if norm else "bias"}
        leaves |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
        published = f"{path.replace('.', '/')}/{leaves.get(leaf, leaf)}"
        assert torch_name(published) == name, (published, name, value.shape)
        found[name] = keras.get(published, published)
    return found


def fill_keyed(model: nn.Module, salt: str) -> None:
    """Fill the port with the keyed weights of the TensorFlow model."""
    with torch.no_grad():
        state = model.state_dict()
        for name, published in tensorflow_names(model).items():
            shape = from_torch(published, np.empty(state[name].shape, np.bool_)).shape
            values = keyed_tensor(published, shape, salt, "hwio")
            if published == "fc3/kernel":
                values = values * _KEYED_FACTOR
            state[name].copy_(torch.from_numpy(to_torch(published, values)))


def load(model: nn.Module, path: Path) -> dict[str, Any]:
    """Load a converted checkpoint strictly.

    Raises:
        MissingFile, BadCheckpoint: it is not there, is no safetensors file, or does not hold exactly this model.
    """
    if not path.is_file():
        raise MissingFile(f"no checkpoint at {path}", next_step="convert the TensorFlow checkpoint to safetensors")
    try:
        stored = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadCheckpoint(
            f"{path}: not readable as safetensors ({error})",
            next_step="convert the TensorFlow checkpoint again; the port does not read .index files",
        ) from error
    names = {published: name for name, published in tensorflow_names(model).items()}
    state = {names.get(key, torch_name(key)): torch.from_numpy(to_torch(key, value)) for key, value in stored.items()}
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    load_strictly(model, {**counters, **state}, path.name)
    return {"format": "safetensors, TensorFlow's names and layout"}


def save(model: nn.Module, path: Path) -> None:
    """Write the port's weights as TensorFlow has them."""
    state = model.state_dict()
    tensors = {
        published: from_torch(published, state[name].numpy()) for name, published in tensorflow_names(model).items()
    }
    save_file(tensors, path)
