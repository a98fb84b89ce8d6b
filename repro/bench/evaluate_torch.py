"""What evaluation costs beside the model: images a second while batches are prepared, against batches in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from repro.bench.measure import Benchmark
from repro.errors import UsageError
from repro.registry import benchmarked_models, resolve
from repro.schema import Model, Protocol, System, settings_of
from repro.stages.prepare import Feed, Watched

AT_MOST = 1 / 0.95
_IMAGES = {True: 32, False: 512}  # by whether the input is larger than the images are
_LARGE = 10_000  # values of one input
_MOST_VIEWS = 8  # of an image; protocols that differ in drawing more of them tell nothing new


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give each benchmarked torch model under each of its system's protocols that are not drawn anew per seed.

    One thread computes, as in the runs that are compared; the preparation has the other cores.

    Args:
        folder: for files; none is needed.
    """
    for system, model in benchmarked_models("torch"):
        for protocol in system.protocols_of(model):
            if len(protocol.seeds) <= 1:
                found = _evaluated(system, model, protocol)
                if found is not None:
                    yield found


def _evaluated(system: System, model: Model, protocol: Protocol) -> Benchmark | None:
    """Return the benchmark, or ``None`` where there are more views or the model refuses them, as a port may."""
    network = resolve(model.build)().eval()
    predict, settings = resolve(model.predict), settings_of(protocol, model)
    images = resolve(system.embedded)().images
    count = _IMAGES[int(np.prod(model.input_shape)) > _LARGE]
    rows = np.arange(count) % len(images)
    batch = min(protocol.batch, max(1, count // 4))
    feed = Feed.of(system, model, protocol, images, rows, seed=0)
    views = len(feed.part(0, 1).inputs())
    if views > _MOST_VIEWS:
        return None
    if views > 1:  # a view costs what an image costs
        feed = feed.part(0, max(batch, count // views))
    in_memory = [torch.from_numpy(inputs) for inputs in feed.batches(batch)]
    try:
        predict(network, in_memory[0][:views], settings)
    except UsageError:
        return None

    def streamed() -> None:
        with one_thread():
            for inputs in Watched(feed, batch):
                predict(network, torch.from_numpy(inputs), settings)

    def bare() -> None:
        with one_thread():
            for inputs in in_memory:
                predict(network, inputs, settings)

    count = len(feed.samples.rows)
    return Benchmark(
        subject="evaluation",
        case=f"{model.title}, {protocol.name}, {count} images x {views}, batch {batch}",
        run=streamed,
        baseline=bare,
        baseline_name="the model on batches in memory",
        at_most=AT_MOST,
    )


class one_thread:  # noqa: N801  # used as a statement
    """Lets torch compute with one thread inside."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *raised: object) -> None:
        torch.set_num_threads(self._before)
