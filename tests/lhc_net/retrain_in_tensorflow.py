"""Run in the TensorFlow stack: ``ARGUMENTS`` as JSON. Trains one model by its recipe; prints one JSON document.

ARGUMENTS: ``model``, ``recipe``, ``data``, ``results``, ``run`` (folders), ``images``, ``batch``, ``epochs``,
``workers``; ``settings`` (texts), ``stages`` (how many; all by default), ``start`` (a file), ``save`` (what to write at
the end), ``share`` (saving within an epoch takes one part in so many of the time), ``accuracy`` (of an epoch's steps,
which ends the training).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from repro.determinism.switches_tensorflow import make_deterministic
from repro.digest import set_digest, tensor_digest
from repro.registry import find_model
from repro.stages.etl import etl
from repro.stages.training import loop as training_loop
from repro.stages.training.backend_tensorflow import TensorflowBackend
from repro.stages.training.loop import Loop
from repro.stages.training.saved import TRAJECTORY
from repro.stages.training.task import Training
from repro.store.results import Results
from repro.trace.trajectory import Trajectory

asked = json.loads(sys.argv[1])
make_deterministic(12345, 1)
system, model = find_model(asked["model"])
_, data = etl(system, asked["data"], Results(Path(asked["results"])))
recipe, _ = model.recipe(asked["recipe"]).changed(
    epochs=asked["epochs"], batch=asked["batch"], settings=asked.get("settings")
)
recipe = recipe.model_copy(update={"stages": recipe.stages[: asked.get("stages")]})
training = Training(
    system=system,
    model=model,
    recipe=recipe,
    data=data,
    seed=3,
    arithmetic="native",
    device="cpu",
    limit=asked["images"],
    every=5,
    workers=asked["workers"],
    keep_every=None,
    start=Path(asked["start"]) if "start" in asked else None,
    unit=None,
    code="c" * 64,
)
backend = TensorflowBackend(training)
folder = Path(asked["run"])
training_loop._SHARE = asked.get("share", training_loop._SHARE)


def told(done: int, total: int) -> None:
    """Say each step, for whoever wants to end this process between two of them."""
    print(f"step {done} of {total}", file=sys.stderr, flush=True)


loop = Loop(training, backend, folder, told)
begun = loop.standing.step
enough, epoch_steps = asked.get("accuracy", 2.0), training.steps_of(recipe.stages[0])
while not loop.run(until=(loop.standing.step // epoch_steps + 1) * epoch_steps if "accuracy" in asked else None):
    if loop.standing.rows and loop.standing.rows[-1]["accuracy"] >= enough:
        break
links = Trajectory.read(folder / TRAJECTORY).links
found = {
    "begun": begun,
    "steps": loop.standing.step,
    "started": backend.started,
    "weights": {name: tensor_digest(value) for name, value in backend.weights().items()},
    "link": links[-1].link,
    "losses": [row["loss"] for row in loop.standing.rows],
    "accuracies": [row["accuracy"] for row in loop.standing.rows],
    "stages": [row.get("stage", 1) for row in loop.standing.rows],
}
found["digest"] = set_digest(found["weights"])
if "save" in asked:
    written = backend.save(Path(asked["save"]))
    found["file"] = str(written)
print(json.dumps(found))
