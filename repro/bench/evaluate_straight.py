"""Evaluation a batch at a time beside the published way, the whole set in memory; each in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from repro.bench.measure import Benchmark
from repro.bench.side import Side
from repro.determinism.environment import child_environment
from repro.errors import MissingStack
from repro.registry import find_model, resolve, systems
from repro.schema import Caps, Model, Protocol, System, settings_of
from repro.stages.prepare import Feed, Watched
from repro.stages.stacks import find_stack

AT_MOST = 1.0
"""At least as fast as the published way."""

TIMED, FEW, MANY = 8, 256, 512
"""Images whose evaluation is timed, and those on which the peaks of memory are read."""


def benchmarks(folder: Path) -> Iterator[Benchmark]:
    """Give each benchmarked model with a straight evaluation under each published protocol, with the peaks of memory.

    No published script knows what is called ``corrected``. One thread computes on either side; the preparation has the
    other cores.

    Args:
        folder: for files; none is needed.
    """
    for system in systems().values():
        for model in (system.model(name) for name in system.benchmarked):
            if model.straight is not None:
                for protocol in (one for one in system.protocols if one.name != "corrected"):
                    yield from _beside_the_straight_way(system, model, protocol)


def ours(name: str, protocol: str, settings: str, count: str) -> Callable[[int], None]:
    """Return what evaluates a model as the stage does.

    Args:
        name: ``system/model``.
        protocol: its name.
        settings: those that are changed, as JSON.
        count: of images.
    """
    system, model = find_model(name)
    chosen = system.protocol(protocol).changed(json.loads(settings))
    network, predict = resolve(model.build)(), resolve(model.predict)
    images = _images(system, int(count))
    feed = Feed.of(system, model, chosen, images, np.arange(len(images)), seed=0)

    def work(number: int) -> None:
        for inputs in Watched(feed, chosen.batch):
            predict(network, inputs, settings_of(chosen, model))

    return work


def straight(name: str, protocol: str, settings: str, count: str) -> Callable[[int], None]:
    """Return what evaluates the same the published way; as :func:`ours`."""
    system, model = find_model(name)
    chosen = system.protocol(protocol).changed(json.loads(settings))
    assert model.straight is not None
    network, evaluate = resolve(model.build)(), resolve(model.straight)
    images = _images(system, int(count))
    return lambda number: evaluate(network, images, settings_of(chosen, model))


def _beside_the_straight_way(system: System, model: Model, protocol: Protocol) -> Iterator[Benchmark]:
    try:
        python = find_stack(model.stack).python
    except MissingStack as error:
        raise ModuleNotFoundError(str(error), name=model.framework) from error
    fewer = {key: value for key, value in system.benchmark_settings.items() if key in protocol.settings}
    with ExitStack() as stack:

        def side(maker: Callable[..., Any], count: int) -> Side:
            asked = (f"{system.name}/{model.name}", protocol.name, json.dumps(fewer), str(count))
            environment = child_environment(Caps(threads=1), python)
            return stack.enter_context(Side(python, f"{__name__}:{maker.__name__}", *asked, environment=environment))

        peaks = []
        for maker, count in ((ours, FEW), (ours, MANY), (straight, MANY)):
            with side(maker, count) as one:
                peaks.append(one.run() / 1e9)
        changed = "".join(f", {key} {value}" for key, value in fewer.items())
        yield Benchmark(
            subject="evaluation",
            case=f"{model.title}, {protocol.name}{changed}, {TIMED} images; peaks {peaks[0]:.2f} GB on {FEW} images, "
            f"{peaks[1]:.2f} GB on {MANY}, {peaks[2]:.2f} GB on {MANY} the published way",
            run=side(ours, TIMED).run,
            baseline=side(straight, TIMED).run,
            baseline_name="the published way, whole set in memory",
            at_most=AT_MOST,
        )


def _images(system: System, count: int) -> np.ndarray:
    images: np.ndarray = resolve(system.embedded)().images
    return images[np.resize(np.arange(len(images)), count)]
