"""Run in the TensorFlow stack: ``IMAGES FOLDER PRECISION MODEL...``. Writes keyed models' logits as ``<model>.npy``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tensorflow import keras

from pipelines.lhc_net import model_tensorflow, weights_tensorflow

images, folder, precision, *names = sys.argv[1:]
inputs = np.load(images)
keras.backend.set_floatx(precision)
for name in names:
    model = getattr(model_tensorflow, name)()
    weights_tensorflow.fill_keyed(model, "contract-1")
    last = model.get_layer("fc3") if name == "resnet34v2" else model.fc3
    last.activation = keras.activations.linear
    parts = [
        model(inputs[start : start + 32].astype(precision), training=False).numpy()
        for start in range(0, len(inputs), 32)
    ]
    np.save(Path(folder) / f"{name}.npy", np.concatenate(parts))
