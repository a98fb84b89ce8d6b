"""What the torch stack does for the stages: the probe of check-rep, and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from repro.determinism.switches_torch import make_deterministic
from repro.hardware.framework_torch import read_framework
from repro.hardware.probe import read_profile
from repro.registry import find_model, resolve
from repro.schema import Caps, Device, Model, System, settings_of
from repro.stages.arithmetic_torch import computing, one_nan
from repro.stages.checkpoint_torch import load_checkpoint
from repro.stages.data import StoredData
from repro.stages.prepare import Feed, Watched
from repro.stages.progress import Progress
from repro.stages.size_torch import count_size
from repro.trace.keyed import CONTRACT_SALT, fill_keyed_tensor, keyed_image
from repro.trace.operations_torch import OperationRecorder
from repro.trace.record_torch import Recorder, trace_in_pieces

_CONTRACT_BATCH = 2


def profile(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return this process's profile."""
    return {"profile": _profile(Caps(**task["caps"]))}


def probe(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Trace one model with keyed weights: contract input, prepared images, forward, training steps.

    Args:
        task: ``model`` (system/model), ``device``, ``seed``, ``caps``, ``data``, ``protocol``, ``batch``, ``steps``;
            ``prepare_all``: digest all images as every protocol prepares them; ``pieces``: also run the forward
            pass in pieces of these sizes; ``threads``: then do all but the preparing again with each of these numbers
            of threads; ``describe``: also read the profile and count the model's size, which takes a second.
        folder: receives ``trace.json``, ``pieces-<size>.json`` and ``threads-<number>.json``.

    Returns:
        switches of this process; with ``describe`` its profile and the model's size; what operations read, if recorded.
    """
    caps = Caps(**task["caps"])
    switches = make_deterministic(task["seed"], caps.threads)
    system, model = find_model(task["model"])
    recorder = _recorder(task)
    network, inputs = _probed(recorder, system, model, task, folder)
    (folder / "trace.json").write_text(recorder.trace().to_json(), encoding="utf-8")
    answer: dict[str, Any] = {"switches": switches}
    if task["describe"]:
        answer |= {"counted": count_size(network.eval(), inputs[:1]), "profile": _profile(caps, task["device"])}
    if isinstance(recorder, OperationRecorder):
        answer["reads"] = recorder.operations.write(folder)
    del network
    for threads in task["threads"]:
        torch.set_num_threads(threads)
        varied = _recorder(task)
        _probed(varied, system, model, {**task, "prepare_all": False, "pieces": ()}, folder)
        (folder / f"threads-{threads}.json").write_text(varied.trace().to_json(), encoding="utf-8")
    return answer


def _probed(
    recorder: Recorder, system: System, model: Model, task: dict[str, Any], folder: Path
) -> tuple[nn.Module, torch.Tensor]:
    """Trace a probe; return the model after its steps and the images of its forward pass."""
    data = StoredData.from_task(task["data"])
    network = _keyed_network(model, task["device"])
    with computing(task):
        _contract(recorder, model, network, task["device"])
    if task["prepare_all"]:
        for protocol in system.protocols_of(model):
            for usage, rows in data.rows_by_usage().items():
                some = rows[: system.probe_images]
                feed = Feed.of(system, model, protocol, data.images(), some, task["seed"])
                recorder.add_entry(feed.entry(usage))
    inputs, _ = _batch(system, model, task, data, "test", 0)
    recorder.add("forward/input", inputs, "input")
    with computing(task):
        with torch.no_grad(), recorder.layers(network, "forward"):
            network(inputs)
        for size in task["pieces"]:
            trace = trace_in_pieces(network, inputs, size, "forward")
            (folder / f"pieces-{size}.json").write_text(trace.to_json(), encoding="utf-8")
    _training(recorder, system, model, network, task, data)
    return network, inputs


def evaluate(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run one checkpoint over one split, once per seed where the protocol is random.

    Args:
        task: ``model``, ``device``, ``seed``, ``caps``, ``data``, ``protocol``, ``split``, ``checkpoint``;
            ``batch``: images per forward pass; ``runs``: how many of the protocol's seeds, all where ``None``;
            ``settings``: of the protocol, where they are not as declared.
        folder: receives ``scores-<run>.npy`` (float32 (n, classes)) and ``trace.json``.

    Returns:
        profile, switches, what the checkpoint says of itself, and the system's diagnosis.
    """
    caps = Caps(**task["caps"])
    switches = make_deterministic(task["seed"], caps.threads)
    system, model = find_model(task["model"])
    protocol = system.protocol(task["protocol"]).changed(task["settings"])
    data = StoredData.from_task(task["data"])
    split = system.split(task["split"])
    network, told = _loaded_network(system, model, task)
    recorder = Recorder(one_nan=one_nan(task))
    recorder.add_all("weight", network.state_dict(), "weight")
    images, rows = data.images(), data.rows(split)
    predict, settings = resolve(model.predict), settings_of(protocol, model)
    seeds = (protocol.seeds or (task["seed"],))[: task["runs"]]
    size = task["batch"]
    diagnosis: dict[str, Any] = {}
    label = f"{system.name}/{model.name} {split.name} {protocol.name}"
    with Progress(label, "images") as progress:
        for run, seed in enumerate(seeds):
            torch.manual_seed(seed)
            parts = []
            inputs_of_run = Watched(Feed.of(system, model, protocol, images, rows, seed), size)
            for number, inputs in enumerate(inputs_of_run):
                batch = torch.from_numpy(inputs).to(task["device"])
                with computing(task, seed):
                    parts.append(predict(network, batch, settings).cpu().numpy())
                if run == 0 and number == 0 and model.diagnose is not None:
                    diagnosis = resolve(model.diagnose)(network, batch)
                progress.update(run * len(rows) + min((number + 1) * size, len(rows)), len(seeds) * len(rows))
            scores = np.concatenate(parts)
            np.save(folder / f"scores-{run}.npy", scores, allow_pickle=False)
            fed = inputs_of_run.entry(split.name)
            if run == 0:
                first = fed
                recorder.add_entry(fed)
            elif fed.digest != first.digest:  # the preparation draws: every run has inputs of its own
                recorder.add_entry(fed.model_copy(update={"name": f"{fed.name}/{run}"}))
            recorder.add(f"scores/{run}", scores, "scores")
    (folder / "trace.json").write_text(recorder.trace().to_json(), encoding="utf-8")
    return {"profile": _profile(caps, task["device"]), "switches": switches, "told": told, "diagnosis": diagnosis}


def predict(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Classify pictures, one at a time, since each has a size of its own.

    Args:
        task: ``model``, ``device``, ``seed``, ``caps``, ``protocol``, ``checkpoint``; ``pictures``: how many.
        folder: holds ``picture-<number>.npy``; receives ``scores.npy`` (float32 (pictures, classes)).
    """
    switches = make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    system, model = find_model(task["model"])
    protocol = system.protocol(task["protocol"])
    network, told = _loaded_network(system, model, task)
    answer, parts = resolve(model.predict), []
    for number in range(task["pictures"]):
        picture = np.load(folder / f"picture-{number}.npy", allow_pickle=False)[np.newaxis]
        inputs = Feed.of(system, model, protocol, picture, np.arange(1), task["seed"]).inputs()
        batch = torch.from_numpy(inputs).to(task["device"])
        parts.append(answer(network, batch, settings_of(protocol, model)).cpu().numpy())
    np.save(folder / "scores.npy", np.concatenate(parts), allow_pickle=False)
    return {"switches": switches, "told": told}


def fitness(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the faults by which canonical arithmetic would not hold here, and the route that it would take."""
    from repro.canonical import VERSION, native, selftest

    compiled = native.library() is not None
    return {"faults": selftest.faults(), "version": VERSION, "compiled": compiled}


def retrain(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train one seed, or with ``dry_run`` a few steps of it; see :func:`repro.stages.training.work.train`."""
    from repro.stages.training.backend_torch import TorchBackend, joined
    from repro.stages.training.task import Training
    from repro.stages.training.work import estimate, train

    caps = Caps(**task["caps"])
    switches = make_deterministic(task["seed"], caps.threads)
    if task["processes"] > 1:
        task = {**task, "device": joined(task["device"])}
    training = Training.from_task(task)
    device: Device = "cuda" if task["device"].startswith("cuda") else "cpu"
    machine = {"profile": _profile(caps, device), "switches": switches}
    run = Path(task["run"])
    if task["dry_run"]:
        return {"told": estimate(training, lambda: TorchBackend(training), run)}
    return {"told": train(training, lambda: TorchBackend(training), run, machine)}


def replay(task: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train up to the step ``until`` again, from ``state`` or from the start; with ``traced``, trace the step after it.

    Args:
        task: as for :func:`retrain`.
        folder: receives ``trace.json``.
    """
    from repro.stages.training import work
    from repro.stages.training.backend_torch import TorchBackend, joined
    from repro.stages.training.task import Training

    make_deterministic(task["seed"], Caps(**task["caps"]).threads)
    if task["processes"] > 1:
        task = {**task, "device": joined(task["device"])}
    training = Training.from_task(task)
    state = None if task["state"] is None else Path(task["state"])
    run, until = Path(task["run"]), task["until"]
    loop = work.replay(training, lambda: TorchBackend(training), run, until=until, state=state)
    if task["traced"]:
        (folder / "trace.json").write_text(loop.traced().to_json(), encoding="utf-8")
    return {}


TASKS: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {
    "profile": profile,
    "fitness": fitness,
    "probe": probe,
    "evaluate": evaluate,
    "predict": predict,
    "retrain": retrain,
    "replay": replay,
}


def _recorder(task: dict[str, Any]) -> Recorder:
    """Return what records a probe: layers, and with ``operations`` (phase, keep) one phase's operations too."""
    if "operations" in task:
        return OperationRecorder(**task["operations"], one_nan=one_nan(task))
    return Recorder(one_nan=one_nan(task))


def _profile(caps: Caps, device: Device | None = None) -> dict[str, Any]:
    state, cuda = read_framework()
    return read_profile(caps, state, cuda, device=device).to_data()


def _loaded_network(system: System, model: Model, task: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    network: nn.Module = resolve(model.build)()
    told = load_checkpoint(system, model, network, Path(task["checkpoint"]))
    return network.eval().to(task["device"]), told


_DRAWS = {torch.Tensor.normal_, torch.Tensor.uniform_}


class _Undrawn(TorchFunctionMode):
    """Leaves out what gives a model its first values, which for a large one takes longer than all else."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _keyed_network(model: Model, device: str) -> nn.Module:
    with _Undrawn():
        network: nn.Module = resolve(model.build)()
    if model.keyed is not None:
        resolve(model.keyed)(network, CONTRACT_SALT)
        return network.eval().to(device)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                fill_keyed_tensor(value.numpy(), name, CONTRACT_SALT, "oihw")
    return network.eval().to(device)


def _contract(recorder: Recorder, model: Model, network: nn.Module, device: str) -> None:
    image = keyed_image((_CONTRACT_BATCH, *model.contract_shape), CONTRACT_SALT)
    scaled = image * np.float32(model.contract_scale) + np.float32(model.contract_shift)
    scaled = np.array(np.broadcast_to(scaled, (_CONTRACT_BATCH, *model.input_shape)), order="C")
    recorder.add("contract/input", scaled, "input")
    with torch.no_grad(), recorder.layers(network, "contract"):
        network(torch.from_numpy(scaled).to(device))


def _batch(
    system: System, model: Model, task: dict[str, Any], data: StoredData, split: str, number: int
) -> tuple[torch.Tensor, torch.Tensor]:
    size = task["batch"]
    start, stop = number * size, (number + 1) * size
    protocol, rows = system.protocol(task["protocol"]), data.rows(system.split(split))
    inputs = Feed.of(system, model, protocol, data.images(), rows, task["seed"]).part(start, stop).inputs()
    rows = rows[start:stop]
    labels = data.labels(rows).astype(np.int64)
    return torch.from_numpy(inputs).to(task["device"]), torch.from_numpy(labels).to(task["device"])


def _training(
    recorder: Recorder, system: System, model: Model, network: nn.Module, task: dict[str, Any], data: StoredData
) -> None:
    network.train()
    torch.manual_seed(task["seed"])  # dropout draws from here on do not depend on what ran before
    step = resolve(model.training)(network, {**model.training_settings, "steps": task["steps"]})
    for number in range(task["steps"]):
        inputs, labels = _batch(system, model, task, data, "training", number)
        start = number * task["batch"]
        prefix = f"step{number + 1}"
        recorder.add(f"{prefix}/input", inputs, "input")
        recorder.add(f"{prefix}/labels", labels, "labels")
        with recorder.gradients(network, f"{prefix}/gradient"):
            with computing(task) as arithmetic, recorder.layers(network, f"{prefix}/forward"):
                arithmetic.begin_step(number, samples=range(start, start + len(inputs)))
                values = step(inputs, labels)
            recorder.add(f"{prefix}/loss", values["loss"], "loss")
        recorder.add_all(f"{prefix}/weight", network.state_dict(), "weight")
