"""Run in the TensorFlow stack: ``RESULTS``. Trains mini-Xception a few steps in several ways and prints the outcomes.

oneDNN must be off: with it, TensorFlow 2.15.1 crashes in a gradient of this network on AVX-512 processors.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras

from pipelines.common.trainer_tensorflow import Backward, Trainer
from repro.determinism.switches_tensorflow import make_deterministic
from repro.digest import file_digest, set_digest, tensor_digest
from repro.registry import find_model
from repro.schema import Recipe, Selection, Stage
from repro.stages.etl import etl
from repro.stages.training.backend_tensorflow import TensorflowBackend
from repro.stages.training.loop import Loop
from repro.stages.training.saved import TRAJECTORY
from repro.stages.training.task import Training
from repro.store.results import Results

RECIPE = Recipe(
    name="small",
    description="of the tests",
    train="training",
    protocol="corrected",
    selections=(Selection(name="best", split="validation"),),
    test="test",
    test_protocols=("corrected",),
    stages=(Stage(epochs=2, batch=8),),
    settings={"learning_rate": 0.001},
)


class SmallTrainer(Trainer):
    """Adam on the cross-entropy, with dropout before the scores so that steps draw."""

    def __init__(self, model: keras.Model, settings: dict[str, Any], backward: Backward) -> None:
        super().__init__(model, backward, keras.optimizers.Adam(settings["learning_rate"]))

    def compute(self, inputs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scores = self.model(tf.nn.dropout(inputs, 0.1), training=True)
        return tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, scores)), scores


def main(results: Path) -> None:
    make_deterministic(0, 1)
    system, model = find_model("mini-xception/mini_xception")
    _, data = etl(system, "embedded", Results(results))
    model = model.model_copy(update={"trainer": "tests.retrain.in_tensorflow:SmallTrainer"})

    def trained(name: str, workers: int, stops: tuple[int, ...] = ()) -> dict[str, str]:
        one = Training(
            system=system,
            model=model,
            recipe=RECIPE,
            data=data,
            seed=3,
            arithmetic="native",
            device="cpu",
            limit=24,
            every=1,
            workers=workers,
            keep_every=None,
            start=None,
            unit=None,
            code="c" * 64,
        )
        for stop in (*stops, None):
            tf.random.uniform((2,))  # whatever drew before does not matter
            loop = Loop(one, TensorflowBackend(one), results / name)
            loop.run(until=stop)
        weights = {key: tensor_digest(value) for key, value in loop.backend.weights().items()}
        return {"weights": set_digest(weights), "trajectory": file_digest(results / name / TRAJECTORY)}

    told = {"whole": trained("whole", 0), "workers": trained("workers", 3), "killed": trained("killed", 0, (1, 3, 4))}
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
