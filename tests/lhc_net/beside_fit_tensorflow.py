"""Run in the TensorFlow stack: ``FOLDER``. One epoch of the check on eleven drawn faces, and Keras' fit on the same.

Prints digests of the weights: of fit, of the check, of the check left after two steps and resumed, and of the same
without its moving the dropouts' generators on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tensorflow as tf
from classification_models.tfkeras import Classifiers

from pipelines.common.faces import drawn_faces
from pipelines.lhc_net import check_tensorflow
from pipelines.lhc_net.check import CHECK
from pipelines.lhc_net.etl import CATEGORIES, training_files, training_jpegs
from repro.determinism.switches_tensorflow import make_deterministic
from repro.digest import set_digest, tensor_digest
from repro.schema import PaperTask
from repro.trace import resumable
from repro.trace.resumable import ResumableRun

SETTINGS = {**CHECK.settings, "batch": 4}
resumable._SHARE = 0  # a state after every step


def main(folder: Path) -> None:
    make_deterministic(0, 1)
    faces = drawn_faces(5, (11, 2, 0))
    plan = training_files(faces.labels, {"Training": faces.rows(("Training",))})
    for category in CATEGORIES:
        (folder / "tree" / "Training" / category).mkdir(parents=True)
    for name, data in zip(plan, training_jpegs(faces.images[list(plan.values())]), strict=True):
        (folder / "tree" / name).write_bytes(data)

    def task(steps: int | None = None) -> PaperTask:
        rows = faces.rows(("PublicTest",))
        return PaperTask(SETTINGS, folder / "tree", None, faces.images, faces.labels, rows, steps)

    told = {"batches": len(check_tensorflow.generator(task())), "fit": fitted(task())}
    told["step by step"] = checked(task(), folder / "undisturbed")
    for name in ("resumed", "without moving the dropouts on"):
        checked(task(2), folder / name)
        if name != "resumed":
            tiny = check_tensorflow._tiny(1)
            check_tensorflow._tiny = lambda count, tiny=tiny: tiny
        told[name] = checked(task(), folder / name)
    told["from a file"] = from_file(folder / "backbone.h5")
    print(json.dumps(told))


def checked(task: PaperTask, folder: Path) -> str:
    """Run the check and return the digest of its last weights."""
    tf.keras.backend.clear_session()
    run = ResumableRun(folder)
    check_tensorflow.run(task, run)
    weights = {one.name: one.digest for one in run.trace() if one.operation == "weight" and one.name.startswith("w")}
    return set_digest(weights)


def from_file(path: Path) -> bool:
    """Say whether the backbone starts from a file as image-classifiers writes it."""
    resnet34, _ = Classifiers.get("resnet34")
    backbone = resnet34((224, 224, 3), weights=None, include_top=False)
    backbone.save_weights(path)
    built = check_tensorflow.built(PaperTask(SETTINGS, path.parent, path, *[None] * 4))  # type: ignore[arg-type]
    found = {variable.name: tensor_digest(variable) for variable in built.variables}
    return all(found[variable.name] == tensor_digest(variable) for variable in backbone.variables)


def fitted(task: PaperTask) -> str:
    """Do what the published program does, through Keras' fit."""
    tf.keras.backend.clear_session()
    check_tensorflow.seed_as_published(SETTINGS["seeds"])
    batches = check_tensorflow.generator(task)
    built = check_tensorflow.built(task)
    model = tf.keras.Model(built.input, built.output)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(SETTINGS["learning_rate"]),
        loss="categorical_crossentropy",
        metrics=["categorical_accuracy"],
    )
    model.fit(batches, epochs=1, verbose=0)
    return set_digest({f"weight/{variable.name}": tensor_digest(variable) for variable in model.variables})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
