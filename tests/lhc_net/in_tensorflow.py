"""Run in the TensorFlow stack: ``ARRAYS FOLDER``. Resizes and writes the straight way; prints versions and digests."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.common.jpeg import jpeg_versions
from pipelines.lhc_net.straight_tensorflow import write_tree
from repro.digest import tensor_digest

with np.load(sys.argv[1]) as arrays:
    sizes = arrays["sizes"].tolist()
    write_tree(arrays["images"], arrays["labels"], Path(sys.argv[2]))
    digests = {}
    for name in arrays:
        if name in ("images", "labels", "sizes"):
            continue
        given = arrays[name][..., None].astype(np.float32)
        for size in sizes:
            resized = tf.image.resize(given, size, method="bilinear")
            digests[f"{name} to {size}"] = tensor_digest(resized[..., 0])
    grey = tf.image.resize(arrays["images"][..., None].astype(np.float32), (224, 224))
    digests["inputs"] = tensor_digest(tf.image.grayscale_to_rgb(grey))

print(json.dumps({"tensorflow": tf.__version__, "jpeg": jpeg_versions(), "digests": digests}))
