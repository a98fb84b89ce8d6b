"""What a step of a training costs beside the step itself: order, preparation, digests, states, logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from repro.bench.evaluate_torch import one_thread
from repro.bench.measure import Benchmark
from repro.digest.draws import permutation
from repro.registry import benchmarked_models, resolve
from repro.schema import Model, Selection, System
from repro.stages.etl import EMBEDDED, etl
from repro.stages.training.backend_torch import TorchBackend
from repro.stages.training.batches import epoch_batches
from repro.stages.training.loop import Loop
from repro.stages.training.task import Training
from repro.store.results import Results

AT_MOST = 1.05
_EVERY = 20  # the command's own
_LARGE = 10_000  # values of one input
_BATCH = {True: 4, False: None}  # by whether the input is larger than the images are; the recipe's own for small ones
_STEPS = {True: 4, False: 16}
_IMAGES = 10**6  # of an epoch: none ends here
_MEMORY = 1100  # MB of check-rep: what needs more takes long for a step


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give each benchmarked torch model that can be trained, one thread computing and one worker preparing.

    Args:
        folder: for decoded data and states.
    """
    for system, model in benchmarked_models("torch"):
        if model.trainer is not None and model.recipes and model.probe_memory <= _MEMORY:
            yield from _trained(system, model, folder / f"{system.name}-{model.name}")


def again_and_again(labels: np.ndarray, name: str) -> np.ndarray:
    """Return an order in which every image comes many times."""
    return np.resize(permutation(name, len(labels)), _IMAGES)


def _trained(system: System, model: Model, folder: Path) -> Iterator[Benchmark]:
    large = int(np.prod(model.input_shape)) > _LARGE
    recipe, _ = model.recipes[0].changed(epochs=10**6, batch=_BATCH[large])
    order = f"{__name__}:again_and_again"
    recipe = recipe.model_copy(update={"selections": (Selection(name="last"),), "order": order})
    _, data = etl(system, EMBEDDED, Results(folder))
    training = Training(
        system=system,
        model=model,
        recipe=recipe,
        data=data,
        seed=0,
        arithmetic="native",
        device="cpu",
        limit=None,
        every=_EVERY,
        workers=1,
        keep_every=None,
        start=None,
        unit=None,
        code="",
    )
    loop = Loop(training, TorchBackend(training), folder / "run")
    stage, steps = recipe.stages[0], _STEPS[large]

    def run() -> None:
        with one_thread():
            loop.run(until=loop.standing.step + steps)

    for baseline, aim, in_memory in (
        ("a bare loop that prepares its batches", AT_MOST, False),
        ("a bare loop on batches in memory", None, True),
    ):
        yield Benchmark(
            subject="training step",
            case=f"{model.title}, batch {stage.batch}, {steps} steps",
            run=run,
            baseline=_bare(training, steps, in_memory),
            baseline_name=baseline,
            at_most=aim,
        )


def _bare(training: Training, steps: int, in_memory: bool) -> Callable[[], None]:
    """Return a loop as a script has it: the same model, trainer and data, and nothing else."""
    backend = TorchBackend(training)
    stage = training.recipe.stages[0]
    backend.begin_stage(training.settings(stage))
    training = replace(training, workers=0)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        made = epoch_batches(training, stage, 0, 0, backend.portion)
        for batch, _ in zip(made, range(steps), strict=False):
            yield torch.from_numpy(batch.inputs), torch.from_numpy(batch.labels)

    kept = list(batches()) if in_memory else None
    network, trainer = backend.model, resolve(str(training.model.trainer))

    def backward(
        compute: Callable[..., tuple[torch.Tensor, torch.Tensor]], inputs: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        for parameter in network.parameters():
            parameter.grad = None
        loss, scores = compute(inputs, labels)
        loss.backward()
        return loss.detach(), scores.detach()

    step = trainer(network, training.settings(stage), backward).step

    def run() -> None:
        network.train()
        with one_thread():
            for inputs, labels in kept or batches():
                float(step(inputs, labels)["loss"])

    return run
