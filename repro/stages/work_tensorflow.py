"""What the TensorFlow stack does for the stages: probe, evaluation, prediction, a paper's own check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow import keras

from repro.determinism.switches_tensorflow import make_deterministic
from repro.errors import UsageError
from repro.hardware.framework_tensorflow import read_framework
from repro.hardware.probe import read_profile
from repro.registry import find_model, resolve
from repro.schema import Caps, Model, System, settings_of
from repro.stages.data import StoredData
from repro.stages.paper_work import run_paper
from repro.stages.prepare import Feed, Watched
from repro.stages.progress import Progress
from repro.trace.keyed import CONTRACT_SALT, keyed_image
from repro.trace.operations_tensorflow import OperationRecorder
from repro.trace.record_tensorflow import Recorder, trace_in_pieces

_CONTRACT_BATCH = 2


def profile(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return this process's profile."""
    state, cuda = read_framework()
    return {"profile": read_profile(Caps(**task["caps"]), state, cuda).to_data()}


def probe(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Trace one model with keyed weights: contract input, prepared images, forward, training steps, all eagerly.

    Args and returns: as :func:`repro.stages.work_torch.probe`.
    """
    switches, system, model, data = _begun(task)
    network = resolve(model.build)()
    resolve(_declared(model.keyed, model, "keyed"))(network, CONTRACT_SALT)
    recorder = _recorder(task, model, network)
    _contract(recorder, model, network)
    if task["prepare_all"]:
        for protocol in system.protocols_of(model):
            for usage, rows in data.rows_by_usage().items():
                some = rows[: system.probe_images]
                recorder.add_entry(Feed.of(system, model, protocol, data.images(), some, task["seed"]).entry(usage))
    inputs, _ = _batch(system, model, task, data, "test", 0)
    recorder.add("forward/input", inputs, "input")
    with recorder.layers(network, "forward"):
        network(inputs, training=False)
    for size in task["pieces"]:
        trace = trace_in_pieces(network, inputs, size, "forward")
        (folder / f"pieces-{size}.json").write_text(trace.to_json(), encoding="utf-8")
    _training(recorder, system, model, network, task, data)
    (folder / "trace.json").write_text(recorder.trace().to_json(), encoding="utf-8")
    answer: dict[str, Any] = {"switches": switches}
    if task["describe"]:
        trainable = sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
        answer |= {**profile(task, folder), "counted": {"parameters": {"trainable": trainable}}}
    if isinstance(recorder, OperationRecorder):
        answer["reads"] = recorder.operations.write(folder)
    return answer


def evaluate(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run one checkpoint over one split, once per seed where the protocol is random.

    Args and returns: as :func:`repro.stages.work_torch.evaluate`.
    """
    switches, system, model, data = _begun(task)
    protocol = system.protocol(task["protocol"]).changed(task["settings"])
    split = system.split(task["split"])
    network, told = _loaded(model, task)
    recorder = Recorder()
    recorder.add_all("weight", _variables(model, network), "weight")
    images, rows = data.images(), data.rows(split)
    predict, settings = resolve(model.predict), settings_of(protocol, model)
    seeds = (protocol.seeds or (task["seed"],))[: task["runs"]]
    diagnosis: dict[str, Any] = {}
    label = f"{system.name}/{model.name} {split.name} {protocol.name}"
    with Progress(label, "images") as progress:
        for run, seed in enumerate(seeds):
            tf.random.set_seed(seed)
            parts: list[np.ndarray] = []
            inputs_of_run = Watched(Feed.of(system, model, protocol, images, rows, seed), task["batch"])
            for number, inputs in enumerate(inputs_of_run):
                parts.append(np.asarray(predict(network, inputs, settings)))
                if run == 0 and number == 0 and model.diagnose is not None:
                    diagnosis = resolve(model.diagnose)(network, inputs)
                done = min((number + 1) * task["batch"], len(rows))
                progress.update(run * len(rows) + done, len(seeds) * len(rows))
            scores = np.concatenate(parts)
            np.save(folder / f"scores-{run}.npy", scores, allow_pickle=False)
            fed = inputs_of_run.entry(split.name)
            if run == 0:
                first = fed
                recorder.add_entry(fed)
            elif fed.digest != first.digest:
                recorder.add_entry(fed.model_copy(update={"name": f"{fed.name}/{run}"}))
            recorder.add(f"scores/{run}", scores, "scores")
    (folder / "trace.json").write_text(recorder.trace().to_json(), encoding="utf-8")
    return {**profile(task, folder), "switches": switches, "told": told, "diagnosis": diagnosis}


def predict(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Classify pictures, one at a time; as :func:`repro.stages.work_torch.predict`."""
    switches = make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    system, model = find_model(task["model"])
    protocol = system.protocol(task["protocol"])
    network, told = _loaded(model, task)
    answer, parts = resolve(model.predict), []
    for number in range(task["pictures"]):
        picture = np.load(folder / f"picture-{number}.npy", allow_pickle=False)[np.newaxis]
        inputs = Feed.of(system, model, protocol, picture, np.arange(1), task["seed"]).inputs()
        parts.append(np.asarray(answer(network, inputs, settings_of(protocol, model))))
    np.save(folder / "scores.npy", np.concatenate(parts), allow_pickle=False)
    return {"switches": switches, "told": told}


def paper(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run a paper's own check; see :func:`repro.stages.paper_work.run_paper`."""
    switches = make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    told = run_paper(task, folder)
    return {**profile(task, folder), "switches": switches, "told": told}


def retrain(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train one seed, or measure a few steps of it; as :func:`repro.stages.work_torch.retrain`."""
    from repro.stages.training.backend_tensorflow import TensorflowBackend
    from repro.stages.training.task import Training
    from repro.stages.training.work import estimate, train

    switches = make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    training = Training.from_task(task)
    machine, run = {**profile(task, folder), "switches": switches}, Path(task["run"])
    if task["dry_run"]:
        return {"told": estimate(training, lambda: TensorflowBackend(training), run)}
    return {"told": train(training, lambda: TensorflowBackend(training), run, machine)}


def replay(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train up to the step ``until`` again, from ``state`` or from the start; with ``traced``, trace the step after it.

    Args:
        task: as for :func:`retrain`.
        folder: receives ``trace.json``.
    """
    from repro.stages.training import work
    from repro.stages.training.backend_tensorflow import TensorflowBackend
    from repro.stages.training.task import Training

    make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    training = Training.from_task(task)
    state = None if task["state"] is None else Path(task["state"])
    loop = work.replay(
        training, lambda: TensorflowBackend(training), Path(task["run"]), until=task["until"], state=state
    )
    if task["traced"]:
        (folder / "trace.json").write_text(loop.traced().to_json(), encoding="utf-8")
    return {}


TASKS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {
    "profile": profile,
    "probe": probe,
    "evaluate": evaluate,
    "predict": predict,
    "paper": paper,
    "retrain": retrain,
    "replay": replay,
}


def _begun(task: dict[str, Any]) -> tuple[dict[str, Any], System, Model, StoredData]:
    """Check the arithmetic, seed and switch; return switches, system, model and data."""
    if task.get("arithmetic", "native") != "native":
        raise UsageError(
            "canonical arithmetic is PyTorch's; this model runs in TensorFlow",
            next_step="choose the PyTorch port of the model, where the system has one",
        )
    switches = make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    system, model = find_model(task["model"])
    return switches, system, model, StoredData.from_task(task["data"])


def _recorder(task: dict[str, Any], model: Model, network: keras.Model) -> Recorder:
    """Return what records a probe: layers, and with ``operations`` (phase, keep) one phase's operations too."""
    if "operations" in task:
        return OperationRecorder(**task["operations"], variables=_variables(model, network))
    return Recorder()


def _declared(value: str | None, model: Model, field: str) -> str:
    if value is None:
        raise UsageError(f"{model.name}: a TensorFlow model must declare {field!r}")
    return value


def _variables(model: Model, network: keras.Model) -> dict[str, tf.Variable]:
    found: dict[str, tf.Variable] = resolve(_declared(model.variables, model, "variables"))(network)
    return found


def _loaded(model: Model, task: dict[str, Any]) -> tuple[keras.Model, dict[str, Any]]:
    network: keras.Model = resolve(model.build)()
    return network, resolve(model.load)(network, Path(task["checkpoint"]))


def _contract(recorder: Recorder, model: Model, network: keras.Model) -> None:
    image = keyed_image((_CONTRACT_BATCH, *model.contract_shape), CONTRACT_SALT)
    scaled = image * np.float32(model.contract_scale) + np.float32(model.contract_shift)
    scaled = np.array(np.broadcast_to(scaled, (_CONTRACT_BATCH, *model.input_shape)), order="C")
    recorder.add("contract/input", scaled, "input")
    with recorder.layers(network, "contract"):
        network(scaled, training=False)


def _batch(
    system: System, model: Model, task: dict[str, Any], data: StoredData, split: str, number: int
) -> tuple[np.ndarray, np.ndarray]:
    start, stop = number * task["batch"], (number + 1) * task["batch"]
    protocol, rows = system.protocol(task["protocol"]), data.rows(system.split(split))
    inputs = Feed.of(system, model, protocol, data.images(), rows, task["seed"]).part(start, stop).inputs()
    return inputs, data.labels(rows[start:stop]).astype(np.int64)


def _training(
    recorder: Recorder, system: System, model: Model, network: keras.Model, task: dict[str, Any], data: StoredData
) -> None:
    tf.random.set_seed(task["seed"])  # dropout draws from here on do not depend on what ran before
    step = resolve(model.training)(network, {**model.training_settings, "steps": task["steps"]})
    named = {id(variable): name for name, variable in _variables(model, network).items()}
    for number in range(task["steps"]):
        inputs, labels = _batch(system, model, task, data, "training", number)
        prefix = f"step{number + 1}"
        recorder.add(f"{prefix}/input", inputs, "input")
        recorder.add(f"{prefix}/labels", labels, "labels")
        with recorder.layers(network, f"{prefix}/forward"):
            values = step(inputs, labels)
        recorder.add(f"{prefix}/loss", values["loss"], "loss")
        gradients = {
            named[id(variable)]: gradient
            for variable, gradient in zip(network.trainable_variables, values["gradients"], strict=True)
            if gradient is not None
        }
        recorder.add_all(f"{prefix}/gradient", dict(sorted(gradients.items())), "gradient")
        recorder.add_all(f"{prefix}/weight", _variables(model, network), "weight")
