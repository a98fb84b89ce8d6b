"""Reads Keras' HDF5 weight files: by the names in them, or in the order in which Keras writes a model's layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
from tensorflow import keras

from repro.errors import BadCheckpoint, UnfitCheckpoint

SUFFIXES = (".h5", ".hdf5")


def count(path: Path) -> int:
    """Return how many variables a file holds; raises BadCheckpoint."""
    return len(_listed(path))


def read(path: Path, model: keras.Model, wanted: Mapping[str, tf.Variable]) -> tuple[dict[str, np.ndarray], str]:
    """Return the variables of a file by their published names, and how they were found.

    Keras gives layers that have no name one by counting, so a file of LHC-Net's own classes tells a variable by its
    place alone. Such a file is read as Keras reads it, layer by layer, and kind and shape must agree at every place.

    Args:
        path: of ``save_weights`` or ``save``.
        model: what they are for.
        wanted: its variables by name.

    Raises:
        BadCheckpoint: the file is damaged.
        UnfitCheckpoint: read in order, it holds other variables; the message lists them.
    """
    listed = _listed(path)
    stored = {_published(name): value for name, value in listed}
    if stored.keys() & wanted.keys():
        return stored, "by name"
    names = {id(variable): name for name, variable in wanted.items()}
    places = [variable for layer in model.layers for variable in _in_order(layer)]
    faults = [f"it holds {len(listed)}"] if len(listed) != len(places) else []
    for (theirs, value), variable in zip(listed, places, strict=False):
        found, expected = (_kind(theirs), value.shape), (_kind(variable.name), tuple(variable.shape))
        if found != expected:
            faults.append(f"{names[id(variable)]} is {_told(*expected)}, its place holds {theirs}, {_told(*found)}")
    if faults:
        raise UnfitCheckpoint(
            f"{path.name}: read in the order of its layers, it does not fit the {len(places)} variables of "
            f"{model.name}: {'; '.join(faults)}",
            shapes={name: value.shape for name, value in listed},
            next_step="check that the file is one of this model",
        )
    return {names[id(one)]: value for one, (_, value) in zip(places, listed, strict=True)}, "by the order of its layers"


def _listed(path: Path) -> list[tuple[str, np.ndarray]]:
    """Return the variables in Keras' order, under the names that it gave them."""
    try:
        with h5py.File(path, "r") as file:
            layers = file.get("model_weights", file)
            return [
                (weight, np.asarray(layers[layer][weight]))
                for layer in _texts(layers.attrs["layer_names"])
                for weight in _texts(layers[layer].attrs["weight_names"])
            ]
    except (OSError, KeyError) as error:
        raise BadCheckpoint(f"{path}: not readable as Keras HDF5 ({error})", next_step="download it again") from error


def _texts(values: Any) -> list[str]:
    return [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values]


def _in_order(layer: keras.layers.Layer) -> list[tf.Variable]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]  # as Keras' hdf5_format writes them


def _published(name: str) -> str:
    return name.partition(":")[0]


def _kind(name: str) -> str:
    return _published(name).rpartition("/")[2]


def _told(kind: str, shape: tuple[int, ...]) -> str:
    return f"{kind} of shape {shape}"
