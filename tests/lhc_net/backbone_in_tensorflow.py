"""Run in the TensorFlow stack: ``FILE``. Writes image-classifiers' backbone without head, as its ImageNet file is."""

from __future__ import annotations

import sys

from classification_models.tfkeras import Classifiers

resnet34, _ = Classifiers.get("resnet34")
resnet34((224, 224, 3), weights=None, include_top=False).save_weights(sys.argv[1])
