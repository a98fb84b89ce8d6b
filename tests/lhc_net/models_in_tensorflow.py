"""Run in the TensorFlow stack: ``CONTRACTS IMAGES FOLDER``. Checks LHC-Net's models there; prints one JSON document.

CONTRACTS is the contract file, IMAGES a ``.npy`` of float32 inputs (n, 224, 224, 3); FOLDER receives checkpoints.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from pipelines.common.faces import drawn_faces
from pipelines.lhc_net import model_tensorflow, weights_tensorflow
from pipelines.lhc_net.augment_tensorflow import transformed
from pipelines.lhc_net.convert_tensorflow import convert
from pipelines.lhc_net.etl import evaluation_inputs
from pipelines.lhc_net.predict_tensorflow import predict
from pipelines.lhc_net.protocol import PASSES, views
from pipelines.lhc_net.straight_tensorflow import evaluate
from repro.digest import tensor_digest
from repro.errors import BadCheckpoint
from repro.trace.keyed import keyed_image


def contract(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return names, shapes, parameters, and the largest relative difference of the outputs in both precisions."""
    told: dict[str, Any] = {}
    for precision in ("float32", "float64"):
        keras.backend.set_floatx(precision)
        model = getattr(model_tensorflow, name)()
        weights_tensorflow.fill_keyed(model, entry["salt"])
        image = keyed_image((*entry["input_shape"][:3], 1), entry["salt"]).astype(precision) * 255
        output = model(np.repeat(image, 3, axis=-1), training=False).numpy()
        expected = np.array(entry["output"])
        told[precision] = float(np.abs(output - expected).max() / np.abs(expected).max())
    keras.backend.set_floatx("float32")
    shapes = {key: list(value.shape) for key, value in weights_tensorflow.variables(model).items()}
    told["variables"] = shapes == entry["variables"]
    told["parameters"] = sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    return told


def checkpoints(folder: Path) -> dict[str, Any]:
    """Write LHC-Net, read it back, take a variable away, convert it there and back, move the backbone in."""
    told: dict[str, Any] = {}
    model = model_tensorflow.lhc_net()
    weights_tensorflow.fill_keyed(model, "ours")
    before = digests(model)
    weights_tensorflow.save(model, folder / "LHC_Net")
    other = model_tensorflow.lhc_net()
    told["says"] = weights_tensorflow.load(other, folder / "LHC_Net")["format"]
    told["loads"] = digests(other) == before
    names = [name for name, _ in tf.train.list_variables(str(folder / "LHC_Net"))]
    told["paths"] = "conv2_3/LHC_Module/Wqk/7/kernel/.ATTRIBUTES/VARIABLE_VALUE" in names

    stored, _ = weights_tensorflow.read(folder / "LHC_Net.index")
    told["refused"] = []
    for spoiled in (
        {name: value for name, value in stored.items() if name != "conv5_3/LHC_Module/Wp/bias"},
        {**stored, "fc3/bias": np.zeros(8, np.float32)},
        {**stored, "fc4/bias": np.zeros(7, np.float32)},
        {**stored, "fc3/bias": np.full(7, np.nan, np.float32)},
    ):
        try:
            weights_tensorflow.assign(other, spoiled, "spoiled")
        except BadCheckpoint as error:
            told["refused"].append(error.message)
    told["unchanged"] = digests(other) == before

    convert("to-safetensors", "lhc_net", folder / "LHC_Net", folder / "lhc_net.safetensors")
    convert("from-safetensors", "lhc_net", folder / "lhc_net.safetensors", folder / "Back")
    weights_tensorflow.load(other, folder / "Back")
    told["round_trip"] = digests(other) == before

    backbone = model_tensorflow.resnet34v2()
    weights_tensorflow.fill_keyed(backbone, "backbone")
    backbone.save_weights(str(folder / "backbone.h5"))
    again = model_tensorflow.resnet34v2()
    weights_tensorflow.load(again, folder / "backbone.h5")
    told["hdf5"] = digests(again) == digests(backbone)
    model.save_weights(str(folder / "lhc_net.h5"))
    weights_tensorflow.fill_keyed(other, "other")
    told["hdf5_says"] = weights_tensorflow.load(other, folder / "lhc_net.h5")["format"]
    told["hdf5_in_order"] = digests(other) == before
    try:
        weights_tensorflow.load(model_tensorflow.lhc_net_controller(), folder / "lhc_net.h5")
    except BadCheckpoint as error:
        told["refused"].append(error.message)
    own = weights_tensorflow.transfer(backbone, other)
    told["own"] = sorted({name.split("/")[1] for name in own})
    controlled = model_tensorflow.lhc_net_controller()
    told["own_of_controlled"] = weights_tensorflow.transfer(other, controlled)
    return told


def digests(model: keras.Model) -> dict[str, str]:
    """Return the digest of each variable."""
    return {name: tensor_digest(value) for name, value in weights_tensorflow.variables(model).items()}


def augmentation(images: np.ndarray) -> dict[str, Any]:
    """Compare both ways of making each view, and the scores of a small network over all of them."""
    batch = tf.convert_to_tensor(images)
    ways = ("tensorflow-addons", "tensorflow")
    each = [tuple(tensor_digest(transformed(batch, view, way)) for way in ways) for view in views()]
    small = keras.Sequential(
        [keras.layers.AveragePooling2D(16), keras.layers.Flatten(), keras.layers.Dense(7, "softmax")]
    )
    small(images[:1] / np.float32(255))
    small.compile()
    scores = [predict(small, images[:33], {"augmentation": way, "passes": PASSES}) for way in ways]
    faces = drawn_faces(3, (33, 0, 0)).images
    settings = {"augmentation": "tensorflow-addons", "passes": PASSES}
    straight = [predict(small, evaluation_inputs(faces), settings), evaluate(small, faces, settings)]
    return {
        "views": len(each),
        "equal": sum(one == other for one, other in each),
        "distinct": len({one for one, _ in each}),
        "scores_equal": tensor_digest(scores[0]) == tensor_digest(scores[1]),
        "straight_equal": tensor_digest(straight[0]) == tensor_digest(straight[1]),
        "sum": float(np.abs(scores[0].sum(axis=1) - 1).max()),
    }


def main() -> None:
    """Print what was found."""
    entries = json.loads(Path(sys.argv[1]).read_text())
    told = {key: contract(key.partition("/")[2], entry) for key, entry in entries.items()}
    found = {
        "contracts": told,
        "checkpoints": checkpoints(Path(sys.argv[3])),
        "augmentation": augmentation(np.load(sys.argv[2])),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
