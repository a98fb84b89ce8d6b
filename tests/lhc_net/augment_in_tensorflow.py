"""Run in the TensorFlow stack: ``IMAGES.npy`` (uint8). Changes images our way and Keras' way; prints how many differ.

Keras-Preprocessing 1.1.2 takes a map's first coordinate for the row; Keras 2.15 takes it for the column. So Keras is
told the mirrored change.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from tensorflow import keras

from pipelines.lhc_net.augment import change, training_images, transformed
from pipelines.lhc_net.recipe import STANDALONE

images = np.load(sys.argv[1])
generator = keras.preprocessing.image.ImageDataGenerator()
differing, shown = 0, set()
for number, grey in enumerate(training_images(images)):
    settings = STANDALONE["stages"][number % 3]["generator"]
    wanted = change(settings, grey.shape, f"a test/{number}")
    colour = np.repeat(grey[..., None], 3, axis=-1)
    theirs = generator.apply_transform(
        colour,
        {
            "theta": -wanted.degrees,
            "tx": wanted.right,
            "ty": wanted.down,
            "zx": wanted.zoom[1],
            "zy": wanted.zoom[0],
            "flip_horizontal": wanted.flipped,
        },
    )
    ours = transformed(grey, wanted)
    differing += not np.array_equal(np.repeat(ours[..., None], 3, axis=-1), theirs)
    shown.add((number % 3, wanted.flipped))
print(json.dumps({"differing": differing, "cases": len(shown), "images": len(images)}))
