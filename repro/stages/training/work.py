"""The child's side of the retrain stage: trains one seed, tests what the selections chose, or measures a few steps."""

from __future__ import annotations

import fcntl
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from repro.digest import file_digest, set_digest, tensor_digest
from repro.errors import PrerequisiteError, error_data
from repro.schema import pretty_json, settings_of
from repro.stages.prepare import Feed
from repro.stages.progress import Progress
from repro.stages.training.loop import Loop, NotFinite
from repro.stages.training.metrics import tested
from repro.stages.training.saved import FINISHED, LOCK, STATE, TRAJECTORY
from repro.stages.training.task import Backend, Training
from repro.store.atomic import write_atomic
from repro.store.packed import pack
from repro.trace.trajectory import Trajectory

_WARM, _MEASURED = 2, 5
_OF_ADAM = 3  # weights and two moments: what most optimisers keep, or more


class AlreadyTraining(PrerequisiteError):
    """Another process trains in this folder."""


class NoSpace(PrerequisiteError):
    """The disk has less room than the training's files take."""


def train(training: Training, make: Callable[[], Backend], folder: Path, machine: dict[str, Any]) -> dict[str, Any]:
    """Train one seed to its end, going on from where its folder stands, and test what the selections chose.

    Args:
        make: builds the backend.
        folder: of this seed.
        machine: ``profile`` and ``switches`` of this process, to be kept with what comes of it.

    Returns:
        what :data:`repro.stages.training.saved.FINISHED` holds.

    Raises:
        AlreadyTraining: another process trains there.
        NoSpace: the disk has too little room; nothing was begun.
    """
    backend = make()
    with ExitStack() as held:
        if backend.is_first:
            held.enter_context(_locked(folder))
            _require_space(training, backend, folder)
        return _trained(training, backend, folder, machine)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder; the lock ends with the process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyTraining(
                f"{folder.name} of {folder.parent.name} is being trained by another process",
                next_step="wait for it, or end it",
            ) from None
        yield


def _trained(training: Training, backend: Backend, folder: Path, machine: dict[str, Any]) -> dict[str, Any]:
    label = f"{training.system.name}/{training.model.name} seed {training.seed}"
    failed = None
    with Progress(label, "steps") as progress:
        loop = Loop(training, backend, folder, progress.update, writes=backend.is_first)
        try:
            loop.run()
        except NotFinite as error:  # the same call would come to it again: that is how this seed ends
            failed = {**error_data(error), "step": error.step, "tensor": error.tensor}
    return _finished(training, backend, loop, machine, failed) if backend.is_first else {}


def _finished(
    training: Training, backend: Backend, loop: Loop, machine: dict[str, Any], failed: dict[str, Any] | None
) -> dict[str, Any]:
    standing, folder = loop.standing, loop.folder
    chosen: dict[str, Any] = {}
    for selection in sorted(training.recipe.selections, key=lambda one: one.split is not None):  # the last are at hand
        best = standing.best.get(selection.name)
        if failed is not None and best is None:
            continue
        loop.load(selection.name)
        weights = {name: tensor_digest(value) for name, value in backend.weights().items()}
        path = backend.save(folder / selection.name)
        chosen[selection.name] = {
            "watched": selection.split,
            "metric": selection.metric,
            "epoch": standing.epoch if best is None else best.epoch,
            "step": standing.step if best is None else best.step,
            "value": None if best is None else best.value,
            "file": path.name,
            "weights": set_digest(weights),
            "tests": tested(training, backend),
        }
    links = Trajectory.read(folder / TRAJECTORY).links
    told = {
        "seed": training.seed,
        "steps": standing.step,
        "epochs": standing.epoch,
        "machine": machine,
        "started": backend.started,
        "rows": standing.rows,
        "failed": failed,
        "selections": {one.name: chosen[one.name] for one in training.recipe.selections if one.name in chosen},
        "trajectory": {"link": links[-1].link, "links": len(links), "file": file_digest(folder / TRAJECTORY)},
        "code": training.code,
    }
    write_atomic(folder / FINISHED, pretty_json(told))
    # What was chosen is there in the published format.
    for path in (*folder.glob("best-*.npz"), folder / STATE, folder / LOCK):
        path.unlink(missing_ok=True)
    return told


def replay(training: Training, make: Callable[[], Backend], folder: Path, *, until: int, state: Path | None) -> Loop:
    """Train up to a step in a folder of its own, from a kept state or from the start, and return the loop there."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = Loop(training, make(), folder, state=state)
    loop.run(until=until)
    loop.pause()
    return loop


def estimate(training: Training, make: Callable[[], Backend], folder: Path) -> dict[str, Any]:
    """Do a few steps in an empty folder and return what the whole training would take.

    Returns:
        ``step_seconds``, ``steps``, ``evaluation_seconds`` (after each epoch, and at the end for each selection),
        ``seconds`` (all), ``memory_bytes`` (the most that this process had), ``disk_bytes``.
    """
    backend = make()
    loop = Loop(training, backend, folder, writes=False)
    loop.run(until=_WARM)
    started = time.perf_counter()
    done = loop.standing.step
    loop.run(until=_WARM + _MEASURED)
    step = (time.perf_counter() - started) / max(1, loop.standing.step - done)
    watch = sum(_split_seconds(training, backend, split, training.recipe.protocol) for split in training.recipe.watched)
    recipe = training.recipe
    test = sum(
        _split_seconds(training, backend, recipe.test, name)
        * max(1, len(training.system.protocol(name).seeds))
        * len(recipe.selections)
        for name in recipe.test_protocols
    )
    epochs = sum(stage.epochs for stage in recipe.stages)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "step_seconds": step,
        "steps": loop.total,
        "epochs": epochs,
        "evaluation_seconds": watch,
        "test_seconds": test,
        "seconds": step * loop.total + watch * epochs + test,
        "memory_bytes": peak,
        "disk_bytes": _space(training, backend, _bytes(pack([backend.state(), backend.weights()])[0])),
    }


def _split_seconds(training: Training, backend: Backend, split: str, name: str) -> float:
    protocol = training.system.protocol(name)
    rows = training.rows(split)
    some = rows[: 2 * protocol.batch]
    feed = Feed.of(training.system, training.model, protocol, training.images, some, 0)
    settings = settings_of(protocol, training.model)
    started = time.perf_counter()
    backend.scores(feed.batches(protocol.batch), settings, 0)
    return (time.perf_counter() - started) * len(rows) / len(some)


def _space(training: Training, backend: Backend, state: int) -> int:
    """Return the bytes that the files take at most, old and new ones being there together."""
    weights = _bytes(pack(backend.weights())[0])
    watched = sum(one.split is not None for one in training.recipe.selections)
    steps = sum(stage.epochs * training.steps_of(stage) for stage in training.recipe.stages)
    kept = 0 if training.keep_every is None else steps // training.keep_every
    links = (steps // training.every + 1) * (500 + 48 * len(backend.weights()))
    return (2 + kept) * state + (2 * watched + len(training.recipe.selections)) * weights + links


def _require_space(training: Training, backend: Backend, folder: Path) -> None:
    needed = _space(training, backend, _OF_ADAM * _bytes(pack(backend.weights())[0]))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpace(
            f"the training's files take up to {needed / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free",
            next_step="make room, give --results a folder on a larger disk, or keep fewer states (--keep-every)",
        )


def _bytes(arrays: dict[str, np.ndarray]) -> int:
    return sum(array.nbytes for array in arrays.values())
