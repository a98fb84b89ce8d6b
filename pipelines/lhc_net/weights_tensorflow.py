"""Names, keyed weights, checkpoints and weight transfer of LHC-Net's TensorFlow models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from pipelines.lhc_net import hdf5_tensorflow
from pipelines.lhc_net.names import backbone_names
from repro.errors import BadCheckpoint, MissingFile, UnfitCheckpoint
from repro.trace.keyed import keyed_tensor

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_KEYED_FACTOR = 2.0**-6
_OF_TRAINING = ("optimizer", "save_counter", "_CHECKPOINTABLE_OBJECT_GRAPH", "keras_api")


def variables(model: keras.Model) -> dict[str, tf.Variable]:
    """Return a model's variables by their published names, sorted.

    The backbone's are Keras weight names without ``:0``; LHC-Net's are the object paths of its checkpoints.
    """
    if model.name == "resnet34v2":
        return dict(sorted((variable.name.partition(":")[0], variable) for variable in model.variables))
    found: dict[str, tf.Variable] = {}
    _collect(model, "", found, set())
    return dict(sorted(found.items()))


def _collect(node: Any, path: str, found: dict[str, tf.Variable], seen: set[int]) -> None:
    for name, child in sorted(node._trackable_children().items()):
        where = f"{path}/{name}" if path else name
        if isinstance(child, tf.Variable):
            found[where] = child
        elif id(child) not in seen and (isinstance(child, keras.layers.Layer) or name in ("Wqk",) or name.isdigit()):
            if name == "layers" or name.startswith(("layer-", "layer_with_weights", "keras_api")):
                continue
            seen.add(id(child))
            _collect(child, where, found, seen)


def fill_keyed(model: keras.Model, salt: str) -> None:
    """Fill a model with keyed weights; the last kernel is made smaller, so that the softmax does not saturate."""
    for name, variable in variables(model).items():
        values = keyed_tensor(name, tuple(variable.shape), salt, "hwio")
        if name == "fc3/kernel":
            values = values * np.float32(_KEYED_FACTOR)
        variable.assign(values.astype(variable.dtype.as_numpy_dtype))


def load(model: keras.Model, path: Path) -> dict[str, Any]:
    """Load a TensorFlow object checkpoint or a Keras HDF5 file, strictly.

    Args:
        model: of this system.
        path: the checkpoint's prefix, its ``.index`` file, the folder that holds one, or an ``.h5`` file.

    Raises:
        MissingFile: there is none.
        BadCheckpoint: it is damaged, or variables are missing, unexpected, of another shape, or no numbers.
    """
    if path.suffix in hdf5_tensorflow.SUFFIXES and path.is_file():
        stored, how = hdf5_tensorflow.read(path, model, variables(model))
        told: dict[str, Any] = {"format": f"Keras HDF5, {how}"}
    else:
        stored, told = read(path)
    assign(model, stored, path.name)
    return told


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the variables of an object checkpoint by name, and what is told of it.

    Raises:
        MissingFile, BadCheckpoint: as :func:`load`.
    """
    prefix = _prefix(path)
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        names = sorted(reader.get_variable_to_shape_map())
        kept = [name for name in names if name.endswith(_SUFFIX) and not name.startswith(_OF_TRAINING)]
        stored = {name.removesuffix(_SUFFIX): reader.get_tensor(name) for name in kept if ".OPTIMIZER_SLOT" not in name}
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise BadCheckpoint(
            f"{path}: not readable as a TensorFlow checkpoint, perhaps cut off ({first})",
            next_step="compare the sizes of .index and .data-00000-of-00001 with the published ones, or download again",
        ) from error
    others = [name for name in names if name not in kept and not name.startswith("_CHECKPOINTABLE")]
    return stored, {"format": "TensorFlow object checkpoint", "beside": others}


def assign(model: keras.Model, stored: Mapping[str, np.ndarray], source: str) -> None:
    """Set every variable of a model; the model is unchanged where it raises.

    Raises:
        UnfitCheckpoint: lists what is missing, unexpected or of another shape.
        BadCheckpoint: lists what holds NaN or infinity.
    """
    wanted = variables(model)
    faults = [f"{name} is missing" for name in wanted if name not in stored]
    faults += [f"{name} is unexpected" for name in stored if name not in wanted]
    for name, variable in wanted.items():
        if name in stored and stored[name].shape != tuple(variable.shape):
            faults.append(f"{name} has shape {stored[name].shape}, expected {tuple(variable.shape)}")
    if faults:
        raise UnfitCheckpoint(
            f"{source}: {len(faults)} of {len(wanted)} variables do not fit {model.name}: {'; '.join(faults)}",
            shapes={name: value.shape for name, value in stored.items()},
            next_step="check that the checkpoint is one of this model",
        )
    unusable = [name for name, value in stored.items() if not np.isfinite(value).all()]
    if unusable:
        raise BadCheckpoint(f"{source}: {len(unusable)} variables hold NaN or infinity: {'; '.join(unusable)}")
    for name, variable in wanted.items():
        variable.assign(stored[name].astype(variable.dtype.as_numpy_dtype))


def save(model: keras.Model, prefix: Path) -> None:
    """Write an object checkpoint ``prefix.index`` and ``prefix.data-00000-of-00001`` under the published names."""
    model.save_weights(str(prefix), save_format="tf")


def transfer(source: keras.Model, target: keras.Model) -> list[str]:
    """Copy into a model what another one has of it, by name, and return the names that keep their own values.

    ResNet34v2 into LHC-Net (whose modules are left), LHC-Net into LHC-NetC (whose controllers are left): the modular
    protocol's steps, which upstream does by position (defect L-IMPORT).

    Raises:
        BadCheckpoint: a variable of the source has no place in the target.
    """
    renamed = backbone_names() if source.name == "resnet34v2" else {}
    values = {renamed.get(name, name): variable.numpy() for name, variable in variables(source).items()}
    wanted = variables(target)
    lost = sorted(values.keys() - wanted.keys())
    if lost:
        raise BadCheckpoint(f"{source.name} into {target.name}: no place for {', '.join(lost)}")
    for name, value in values.items():
        if value.shape != tuple(wanted[name].shape):
            raise BadCheckpoint(f"{name} has shape {value.shape}, expected {tuple(wanted[name].shape)}")
        wanted[name].assign(value)
    return sorted(wanted.keys() - values.keys())


def _prefix(path: Path) -> Path:
    if path.is_dir():
        indexes = sorted(path.glob("*.index"))
        if len(indexes) != 1:
            raise MissingFile(f"{path}: expected one .index file, found {len(indexes)}")
        return indexes[0].with_suffix("")
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    for suffix in (".index", ".data-00000-of-00001"):
        if not prefix.with_name(prefix.name + suffix).is_file():
            raise MissingFile(
                f"no {prefix.name}{suffix} beside {path}",
                next_step="give the checkpoint's prefix; .index and .data-00000-of-00001 must lie together",
            )
    return prefix
